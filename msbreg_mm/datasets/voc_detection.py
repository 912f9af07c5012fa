"""VOC's boxes as detectron2 reads them. Detection configs import this module."""

from typing import Any
from xml.etree import ElementTree

from msbreg_mm.registry import DATASETS
from msbreg_mm.utils.errors import DataError
from msbreg_mm.utils.upstream import import_quietly

import_quietly('mmdet.datasets')

from mmdet.datasets import VOCDataset  # noqa: E402


@DATASETS.register_module()
class VOCDetectionDataset(VOCDataset):
    """Pascal VOC with the boxes and the training objects of detectron2.

    From facebookresearch/detectron2, ``detectron2/data/datasets/pascal_voc.py``:

    - A box holds edges: the annotation's first pixel, counted from 1, minus 1, and
      its last pixel. mmdet subtracts 1 from both ends, so that its boxes are one
      pixel smaller.
    - Objects marked difficult are trained on. mmdet leaves them out of the objects
      and lets their anchors and proposals be drawn as background. With
      ``test_mode=True`` they are ignored by the metric in both.

    Score it with :class:`msbreg_mm.evaluation.detection_metrics.ExactVOCMetric`.

    Args:
        **kwargs: See :class:`mmdet.datasets.VOCDataset`.
    """

    def parse_data_info(self, img_info: dict) -> dict:
        """Read one XML file. See :class:`mmdet.datasets.XMLDataset`.

        Raises:
            DataError: If an object's box is not four numbers; names the file.
        """
        try:
            return super().parse_data_info(img_info)
        except ValueError as error:
            raise DataError(f'{img_info["xml_path"]}: {error}') from error

    def _parse_instance_info(
        self, raw_ann_info: Any, minus_one: bool = True
    ) -> list[dict]:
        """Read the objects of an XML file. See :class:`mmdet.datasets.XMLDataset`."""
        found = []
        for item in raw_ann_info.findall('object'):
            name = item.findtext('name')
            if name not in self._metainfo['classes']:
                continue
            box = [_number(item, side) for side in ('xmin', 'ymin', 'xmax', 'ymax')]
            difficult = int(item.findtext('difficult') or 0)
            found.append(
                {
                    'bbox': [box[0] - minus_one, box[1] - minus_one, *box[2:]],
                    'bbox_label': self.cat2label[name],
                    'ignore_flag': int(bool(difficult) and self.test_mode),
                }
            )
        return found


def _number(item: ElementTree.Element, side: str) -> float:
    text = item.findtext(f'bndbox/{side}')
    try:
        return float(text or '')
    except ValueError:
        raise DataError(
            f'<{side}> of an object {item.findtext("name")!r} must be a number, got '
            f'{text!r}; `prepare_data.py check` finds all such boxes'
        ) from None
