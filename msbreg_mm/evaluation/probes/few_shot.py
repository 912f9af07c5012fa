"""The few-shot probe."""

from collections.abc import Sequence

from msbreg_mm.evaluation.features import FeatureSet
from msbreg_mm.evaluation.few_shot import CLASSIFIERS, few_shot
from msbreg_mm.evaluation.probes.base import Probe
from msbreg_mm.registry import PROBES
from msbreg_mm.utils.errors import OptionError


@PROBES.register_module()
class FewShotProbe(Probe):
    """Accuracy on n-way k-shot episodes drawn from ``val``; ``train`` is not used.

    See :func:`msbreg_mm.evaluation.few_shot.few_shot`. Metrics in percent:
    ``fewshot/<n>w<k>s`` and half its 95 % confidence interval over the episodes,
    ``fewshot/<n>w<k>s_ci95``; with ``'logistic'`` the keys begin with
    ``fewshot/logistic_``.

    Args:
        settings: Pairs of ways, at least 2, and shots, at least 1.
        queries: Images of a class to classify, at least 1.
        episodes: Number of episodes, at least 1.
        classifiers: ``'centroid'``, ``'logistic'`` or both.
        normalize: Put the features on the unit sphere first.

    Raises:
        OptionError: If an argument is out of range, or as
            :func:`msbreg_mm.evaluation.few_shot.few_shot`.
    """

    name = 'fewshot'

    def __init__(
        self,
        settings: Sequence[tuple[int, int]] = ((5, 1), (5, 5)),
        queries: int = 15,
        episodes: int = 600,
        classifiers: Sequence[str] = ('centroid',),
        normalize: bool = True,
    ) -> None:
        if not settings or not classifiers:
            raise OptionError('settings and classifiers must not be empty')
        if unknown := sorted(set(classifiers) - set(CLASSIFIERS)):
            raise OptionError(
                f'classifiers must be of {", ".join(CLASSIFIERS)}, got {unknown}'
            )
        self.settings = [(ways, shots) for ways, shots in settings]
        self.queries = queries
        self.episodes = episodes
        self.classifiers = tuple(classifiers)
        self.normalize = normalize

    def __call__(
        self, train: FeatureSet, val: FeatureSet, seed: int
    ) -> dict[str, float]:
        """Score. See :class:`Probe`."""
        metrics = {}
        for classifier in self.classifiers:
            prefix = '' if classifier == 'centroid' else f'{classifier}_'
            for ways, shots in self.settings:
                result = few_shot(
                    val,
                    ways,
                    shots,
                    self.queries,
                    self.episodes,
                    classifier=classifier,
                    normalize=self.normalize,
                    seed=seed,
                )
                key = f'fewshot/{prefix}{ways}w{shots}s'
                metrics[key] = result.mean
                metrics[f'{key}_ci95'] = result.interval
        return metrics
