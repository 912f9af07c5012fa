"""The kNN probe."""

from collections.abc import Sequence

from msbreg_mm.evaluation.features import FeatureSet
from msbreg_mm.evaluation.knn import knn_predict
from msbreg_mm.evaluation.probes.base import Probe, find_device
from msbreg_mm.registry import PROBES
from msbreg_mm.utils.errors import OptionError


@PROBES.register_module()
class KNNProbe(Probe):
    """Top-1 accuracy of weighted nearest neighbours in ``train``.

    See :func:`msbreg_mm.evaluation.knn.knn_predict`. Metrics in percent:
    ``knn/top1_k<k>_t<T>`` of every pair, and ``knn/top1`` of the first ``k`` and
    the first ``T``, never the best: that would be chosen on the test set.

    Args:
        ks: Numbers of neighbours, each 1 to the size of the bank; the default is
            mmselfsup's list, its headline k first.
        temperatures: Temperatures of the votes, positive; mmselfsup's.
        chunk_size: Number of queries handled together; bounds the memory.
        device: Where neighbours are searched, ``'auto'`` for a GPU if there is
            one.

    Raises:
        OptionError: If an image has several labels, or there are fewer images
            than neighbours.
    """

    name = 'knn'
    draws = False

    def __init__(
        self,
        ks: Sequence[int] = (20, 10, 100, 200),
        temperatures: Sequence[float] = (0.07,),
        chunk_size: int = 1024,
        device: str = 'auto',
    ) -> None:
        if not ks or min(ks) < 1:
            raise OptionError(f'ks must be numbers of at least 1, got {list(ks)}')
        if not temperatures or min(temperatures) <= 0:
            raise OptionError(
                f'temperatures must be positive, got {list(temperatures)}'
            )
        self.ks = tuple(ks)
        self.temperatures = tuple(temperatures)
        self.chunk_size = chunk_size
        self.device = device

    def __call__(
        self, train: FeatureSet, val: FeatureSet, seed: int
    ) -> dict[str, float]:
        """Score; nothing is random. See :class:`Probe`."""
        if train.multi_label:
            raise OptionError(
                f'{train.name}: kNN votes for one class an image, these have several; '
                'use the logistic or the SVM probe'
            )
        if len(train) < max(self.ks):
            raise OptionError(
                f'{train.name}: the bank has {len(train)} images, fewer than '
                f'k={max(self.ks)} neighbours; use more images or a smaller ks'
            )
        predicted = knn_predict(
            train.features,
            train.labels,
            val.features,
            self.ks,
            self.temperatures,
            max(train.num_classes, val.num_classes),
            self.chunk_size,
            find_device(self.device),
        )
        hits = {
            f'knn/top1_k{k}_t{t:g}': classes.cpu().numpy() == val.labels
            for (k, t), classes in predicted.items()
        }
        first = f'knn/top1_k{self.ks[0]}_t{self.temperatures[0]:g}'
        self.hits = {'knn/top1': hits[first], **hits}
        return {key: 100 * float(right.mean()) for key, right in self.hits.items()}
