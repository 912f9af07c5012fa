"""Detection metrics as they were computed, without upstream's rounding.

mmdet rounds COCO's AP and VOC's AP of one IoU to 0.001, that is to 0.1 in percent,
before anything takes a mean over seeds or a difference of two runs. Detection configs
import this module (``configs/_base_/detection_runtime.py``).
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from mmengine.fileio import load
from mmengine.logging import MMLogger

from msbreg_mm.evaluation.outcomes import OUTCOMES
from msbreg_mm.registry import METRICS
from msbreg_mm.utils.upstream import import_quietly

import_quietly('mmdet.evaluation')

from mmdet.evaluation import (  # noqa: E402
    FasterCocoMetric,
    VOCMetric,
    average_precision,
)
from mmdet.evaluation.functional.mean_ap import (  # noqa: E402
    get_cls_results,
    tpfp_default,
)

# Positions in COCOeval.stats.
COCO_ITEMS = {'mAP': 0, 'mAP_50': 1, 'mAP_75': 2, 'mAP_s': 3, 'mAP_m': 4, 'mAP_l': 5}


@METRICS.register_module()
class ExactCocoMetric(FasterCocoMetric):
    """COCO's AP of boxes and masks, equal to pycocotools' to the last digit.

    Keys are those of :class:`mmdet.evaluation.FasterCocoMetric`:
    ``coco/bbox_mAP``, ``coco/segm_mAP_50`` …, and ``coco/<class>_precision`` (of the
    last metric) with ``classwise``; all are fractions.

    Args:
        **kwargs: See :class:`mmdet.evaluation.CocoMetric`; ``metric`` is ``'bbox'``,
            ``'segm'`` or both.

    Raises:
        ValueError: If another metric is asked for.
    """

    cat_ids: Any
    img_ids: Any
    _coco_api: Any

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if unknown := set(self.metrics) - {'bbox', 'segm'}:
            raise ValueError(
                f"metric must be 'bbox' or 'segm', got {sorted(unknown)}; "
                'FasterCocoMetric knows proposals'
            )
        if unknown := set(self.metric_items or ()) - COCO_ITEMS.keys():
            raise ValueError(
                f'metric_items must be among {list(COCO_ITEMS)}, got {sorted(unknown)}'
            )

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Score what :meth:`process` kept of each image.

        Args:
            results: Pairs of the image's size and its predictions.

        Returns:
            Metric to fraction; nothing if no image has a detection, as upstream.
        """
        images, predictions = zip(*results, strict=True)
        found: dict[str, float] = {}
        with tempfile.TemporaryDirectory() as folder:
            prefix = self.outfile_prefix or str(Path(folder) / 'results')
            if self._coco_api is None:
                self._coco_api = COCO(self.gt_to_coco_json(images, prefix))
            if self.cat_ids is None:
                names = self.dataset_meta['classes']
                self.cat_ids = self._coco_api.getCatIds(catNms=names)
            if self.img_ids is None:
                self.img_ids = self._coco_api.getImgIds()
            files = self.results2json(predictions, prefix)
            if self.format_only:
                return found
            for metric in self.metrics:
                if metric not in files:
                    raise KeyError(f'{metric} is not in results')
                detections = load(files[metric])
                if not detections:
                    text = 'The testing results of the whole dataset is empty.'
                    MMLogger.get_current_instance().error(text)
                    break
                found |= self._score(metric, detections)
        return found

    def _score(self, metric: str, detections: list[dict]) -> dict[str, float]:
        if metric == 'segm':
            # With boxes present their area would count as the object's.
            for detection in detections:
                detection.pop('bbox', None)
        evaluator = COCOeval_faster(
            self._coco_api, self._coco_api.loadRes(detections), metric
        )
        evaluator.params.catIds = self.cat_ids
        evaluator.params.imgIds = self.img_ids
        evaluator.params.maxDets = list(self.proposal_nums)
        evaluator.params.iouThrs = self.iou_thrs
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
        found = {
            f'{metric}_{item}': float(evaluator.stats[COCO_ITEMS[item]])
            for item in self.metric_items or COCO_ITEMS
        }
        if self.classwise:
            found |= self._per_class(evaluator.eval['precision'])
        return found

    def _per_class(self, precision: np.ndarray) -> dict[str, float]:
        """AP of each class; ``precision`` is IoU x recall x class x area x count."""
        found = {}
        for index, category in enumerate(self.cat_ids):
            (about,) = self._coco_api.loadCats(category)
            known = precision[:, :, index, 0, -1]
            known = known[known > -1]
            value = float(known.mean()) if known.size else float('nan')
            found[f'{about["name"]}_precision'] = value
        return found


@METRICS.register_module()
class ExactVOCMetric(VOCMetric):
    """VOC's AP of boxes at several IoUs, and their mean.

    Keys are those of :class:`mmdet.evaluation.VOCMetric`: ``pascal_voc/mAP`` and
    ``pascal_voc/AP50`` …, as fractions. Objects marked difficult count neither for
    nor against a detection.

    Args:
        legacy_boxes: Whether boxes hold the centres of their first and last pixel, as
            mmdet's ``VOCDataset`` has them, so that a side is ``x2 - x1 + 1``. By
            default they hold edges, as in
            :class:`msbreg_mm.datasets.voc_detection.VOCDetectionDataset`. Both are
            the devkit's areas.
        outfile_prefix: Start of the names of files for the report: objects and
            detections as COCO has them, and ``outcomes.npz`` in the same folder; by
            default none are written.
        **kwargs: See :class:`mmdet.evaluation.VOCMetric`.
    """

    def __init__(
        self,
        legacy_boxes: bool = False,
        outfile_prefix: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if self.metric != 'mAP':
            raise ValueError(f"metric must be 'mAP', got {self.metric!r}")
        if self.scale_ranges is not None:
            raise ValueError('scale_ranges are not supported; VOCMetric knows them')
        self.legacy_boxes = legacy_boxes
        self.outfile_prefix = outfile_prefix

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the objects and detections of each image, and its path."""
        before = len(self.results)
        super().process(data_batch, data_samples)
        named = zip(self.results[before:], data_samples, strict=True)
        self.results[before:] = [
            (*result, str(sample.get('img_path', ''))) for result, sample in named
        ]

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Score what :meth:`process` kept of each image.

        Args:
            results: Annotations, detections by class, and path of each image.

        Returns:
            ``mAP`` and the AP of each IoU.
        """
        truth, predictions = list(zip(*results, strict=True))[:2]
        if self.outfile_prefix:
            self._keep(truth, predictions, [str(item[-1]) for item in results])
        found = {}
        for threshold in self.iou_thrs:
            values = [
                self._score(get_cls_results(predictions, truth, label), threshold)
                for label in range(len(self.dataset_meta['classes']))
            ]
            known = [value for value in values if value is not None]
            name = f'AP{round(threshold * 100):02d}'
            found[name] = float(np.mean(known)) if known else 0.0
        return {'mAP': float(np.mean(list(found.values()))), **found}

    def _keep(self, truth: Sequence, predictions: Sequence, paths: list[str]) -> None:
        from msbreg_mm.evaluation.voc_outcomes import match_voc, write_as_coco

        prefix, classes = Path(str(self.outfile_prefix)), self.dataset_meta['classes']
        matches = match_voc(
            truth,
            predictions,
            paths,
            classes,
            self.iou_thrs,
            self.eval_mode,
            self.legacy_boxes,
        )
        matches.save(prefix.parent / OUTCOMES)
        write_as_coco(prefix, truth, predictions, paths, classes)

    def _score(
        self, of_class: Sequence[list[np.ndarray]], threshold: float
    ) -> float | None:
        """AP of one class over all images; ``None`` if it has no object to find.

        As ``mmdet.evaluation.eval_map``, which forks a pool of processes for each
        class and IoU; they outlive it where SIGTERM is handled.
        """
        detections, objects, difficult = of_class
        total = sum(map(len, objects))
        if not total:
            return None
        hits = [
            np.concatenate(
                tpfp_default(*image, threshold, use_legacy_coordinate=self.legacy_boxes)
            )
            for image in zip(detections, objects, difficult, strict=True)
        ]
        scores = np.concatenate([boxes[:, -1] for boxes in detections])
        order = np.argsort(-scores)
        # In double precision: a recall of 3/10 is below the fourth of the tenths.
        flags = np.concatenate(hits, axis=1)[:, order]
        right, wrong = flags.cumsum(axis=1, dtype=np.float64)
        precision = right / np.maximum(right + wrong, 1)
        return float(average_precision(right / total, precision, self.eval_mode))
