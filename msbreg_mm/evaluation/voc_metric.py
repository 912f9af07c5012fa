"""VOC2007's mean average precision, for trained classifiers."""

import torch
from mmpretrain.evaluation import VOCAveragePrecision

from msbreg_mm.evaluation.scores import mean_average_precision
from msbreg_mm.registry import METRICS


@METRICS.register_module()
class VOC07AveragePrecision(VOCAveragePrecision):
    """Mean over classes of the 11-point average precision, in percent.

    The metric of VOC2007 and of ssl-transfer, see
    :func:`msbreg_mm.evaluation.scores.average_precision_11`; mmpretrain's
    :class:`VOCAveragePrecision` takes the area under the curve. The key is
    ``multi-label/mAP_11``. Images in which all objects of a class are difficult are
    left out of that class.

    Args:
        **kwargs: See :class:`mmpretrain.evaluation.VOCAveragePrecision`.

    Raises:
        ValueError: If no class has a positive image.
    """

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Score what :meth:`process` kept of each image.

        Args:
            results: ``pred_score`` (C,) and ``gt_score`` (C,), 1 positive, 0
                negative, -1 left out, of each image.

        Returns:
            ``mAP_11``.
        """
        scores = torch.stack([result['pred_score'] for result in results])
        labels = torch.stack([result['gt_score'] for result in results])
        value = mean_average_precision(
            scores.cpu().numpy(), labels.cpu().numpy().astype(int)
        )
        return {'mAP_11': value}
