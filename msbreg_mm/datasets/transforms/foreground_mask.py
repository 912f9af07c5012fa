"""Semantic masks of two classes from masks of instance numbers."""

from mmcv.transforms import BaseTransform

from msbreg_mm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ForegroundMask(BaseTransform):
    """Turn instance numbers into background (0) and foreground (1).

    Stands after mmseg's ``LoadAnnotations``, for data sets of one class that come
    with VOC's ``SegmentationObject`` masks. With more than one class the number of an
    instance does not tell its class: use ``SegmentationClass`` then.

    Required and modified keys: ``gt_seg_map``, an array of shape (H, W) and type uint8
    in which 0 is background, 255 (VOC's border) stays ignored, and every other number
    is an instance.
    """

    def transform(self, results: dict) -> dict:
        """Replace the numbers; called by the pipeline."""
        mask = results['gt_seg_map'].copy()
        mask[(mask > 0) & (mask < 255)] = 1
        results['gt_seg_map'] = mask
        return results
