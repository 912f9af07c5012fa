"""The SVM probe."""

from collections.abc import Sequence

from mmengine.logging import print_log

from msbreg_mm.evaluation.features import FeatureSet
from msbreg_mm.evaluation.probes.base import Probe
from msbreg_mm.evaluation.svm import VISSL_COSTS, VISSL_FOLDS, svm_classify
from msbreg_mm.evaluation.svm_low_shot import LOW_SHOT_SAMPLES, svm_low_shot
from msbreg_mm.registry import PROBES
from msbreg_mm.utils.errors import OptionError


@PROBES.register_module()
class SVMProbe(Probe):
    """Linear SVMs, one per class, by the VOC07 protocol; full, low-shot or both.

    See :func:`msbreg_mm.evaluation.svm.svm_classify` and
    :func:`msbreg_mm.evaluation.svm_low_shot.svm_low_shot`. Metrics in percent:
    ``svm/mAP`` by scikit-learn's average precision, ``svm/mAP_interpolated`` by
    VISSL's, which published rows use, and ``svm/AP_<class>`` (scikit-learn's);
    with ``shots``, ``svm/mAP_k<k>``, ``svm/mAP_interpolated_k<k>`` and their
    standard deviations over the samples with ``_std``. ``svm/unconverged`` counts
    fits that stopped at the protocol's limit of iterations.

    Args:
        costs: Costs to choose from, positive; VISSL's for ResNets.
        folds: Folds of the cross-validation, at least 2; VISSL's.
        full: Fit on all images of ``train``.
        shots: Numbers of positive images a class for the low-shot protocol, e.g.
            :data:`msbreg_mm.evaluation.svm_low_shot.LOW_SHOTS`; none by default.
        samples: Low-shot samples, at least 1; the protocol's five.
        exclude_ignored: Leave ignored images out of the full fit; VISSL does not.
        jobs: Processes; by default all usable cores where it pays.

    Raises:
        OptionError: If neither full nor low-shot is asked for, or as the two
            functions.
    """

    name = 'svm'

    def __init__(
        self,
        costs: Sequence[float] = VISSL_COSTS,
        folds: int = VISSL_FOLDS,
        full: bool = True,
        shots: Sequence[int] = (),
        samples: int = LOW_SHOT_SAMPLES,
        exclude_ignored: bool = False,
        jobs: int | None = None,
    ) -> None:
        if not full and not shots:
            raise OptionError('SVMProbe has nothing to do: set full=True or shots')
        self.costs = tuple(costs)
        self.folds = folds
        self.full = full
        self.shots = tuple(shots)
        self.samples = samples
        self.exclude_ignored = exclude_ignored
        self.jobs = jobs

    def __call__(
        self, train: FeatureSet, val: FeatureSet, seed: int
    ) -> dict[str, float]:
        """Fit and score. See :class:`Probe`."""
        metrics: dict[str, float] = {}
        unconverged = 0
        if self.full:
            result = svm_classify(
                train,
                val,
                self.costs,
                folds=self.folds,
                exclude_ignored=self.exclude_ignored,
                seed=seed,
                jobs=self.jobs,
            )
            metrics['svm/mAP'] = float(result.ap.mean())
            metrics['svm/mAP_interpolated'] = float(result.interpolated_ap.mean())
            names = train.classes or range(len(result.ap))
            for name, ap in zip(names, result.ap, strict=True):
                metrics[f'svm/AP_{name}'] = float(ap)
            unconverged += result.unconverged
        if self.shots:
            unconverged += self._low_shot(train, val, seed, metrics)
        if unconverged:
            print_log(
                f'SVM: {unconverged} fits stopped at the limit of iterations, as the '
                "protocol has it; their costs are the largest of the list's.",
                'current',
            )
        return {**metrics, 'svm/unconverged': float(unconverged)}

    def _low_shot(
        self,
        train: FeatureSet,
        val: FeatureSet,
        seed: int,
        metrics: dict[str, float],
    ) -> int:
        """Add the low-shot metrics and return the number of unconverged fits."""
        results = svm_low_shot(
            train,
            val,
            self.shots,
            self.costs,
            samples=self.samples,
            seed=seed,
            jobs=self.jobs,
        )
        for result in results:
            for key, interpolated in (('mAP', False), ('mAP_interpolated', True)):
                mean, std = result.best(interpolated)
                metrics[f'svm/{key}_k{result.k}'] = mean
                metrics[f'svm/{key}_k{result.k}_std'] = std
        return sum(result.unconverged for result in results)
