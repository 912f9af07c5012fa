"""Accuracy of a trained classifier that keeps which images were right."""

from pathlib import Path
from typing import Any

import torch
from mmpretrain.evaluation import Accuracy

from msbreg_mm.evaluation.outcomes import OUTCOMES, make_hits
from msbreg_mm.registry import METRICS

_TOP1, _BY_CLASS = 'accuracy/top1', 'single-label/recall'


@METRICS.register_module()
class KeptAccuracy(Accuracy):
    """mmpretrain's Accuracy that writes the hits of each image beside the run.

    Args:
        outfile_prefix: Path whose folder gets ``outcomes.npz``, with top-1 and its mean
            over classes; by default nothing is written.
        **kwargs: See :class:`mmpretrain.evaluation.Accuracy`.
    """

    def __init__(self, outfile_prefix: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.outfile_prefix = outfile_prefix

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Score, and write what is kept.

        Args:
            results: Scores or class, and true class, of each image.
        """
        if self.outfile_prefix and results:
            labels = torch.cat([item['gt_label'] for item in results]).numpy()
            predicted = [
                item['pred_score'].argmax()
                if 'pred_score' in item
                else item['pred_label'].squeeze()
                for item in results
            ]
            right = torch.stack(predicted).numpy() == labels
            hits = make_hits(labels, {_TOP1: right, _BY_CLASS: right}, [_BY_CLASS])
            hits.save(Path(self.outfile_prefix).parent / OUTCOMES)
        return super().compute_metrics(results)
