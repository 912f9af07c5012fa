"""The measures of the online probe: quick, without a search for hyperparameters."""

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from msbreg_mm.evaluation.features import FeatureSet
from msbreg_mm.evaluation.geometry import effective_rank
from msbreg_mm.evaluation.probes import KNNProbe
from msbreg_mm.evaluation.svm import count_unconverged


def online_scores(
    bank: FeatureSet,
    query: FeatureSet,
    k: int = 20,
    temperature: float = 0.07,
    cost: float | None = 0.01,
    max_iter: int = 100,
) -> dict[str, float]:
    """Score features by kNN, a linear probe and their effective rank.

    Args:
        bank: Features that the probes are fitted on.
        query: Features that they are scored on.
        k: Number of neighbours, 1 to the size of the bank.
        temperature: Temperature of the votes, positive.
        cost: Inverse weight of the linear probe's penalty, see
            :func:`linear_accuracy`; ``None`` leaves it out.
        max_iter: Its limit of iterations.

    Returns:
        ``knn_top1`` and ``linear_top1`` in percent and ``effective_rank`` of the
        features of ``query``, as they are (RankMe, arXiv 2210.02885).
    """
    knn = KNNProbe((k,), (temperature,))(bank, query, 0)
    scores = {'knn_top1': knn['knn/top1']}
    if cost is not None:
        scores['linear_top1'] = linear_accuracy(bank, query, cost, max_iter)
    scores['effective_rank'] = effective_rank(torch.from_numpy(query.features))
    return scores


def linear_accuracy(
    bank: FeatureSet, query: FeatureSet, cost: float = 0.01, max_iter: int = 100
) -> float:
    """Top-1 accuracy of one logistic regression, in percent.

    The features are standardised by the mean and standard deviation of ``bank``,
    so that one penalty fits features whose scale changes while they are trained.
    The penalty is fixed and a fit that stops at ``max_iter`` is taken as it is: a
    probe to compare epochs, not the logistic protocol of
    :mod:`msbreg_mm.evaluation.logistic`.

    Args:
        bank: Features that the regression is fitted on, at least two classes.
        query: Features to classify.
        cost: Inverse weight of the penalty, scikit-learn's C, positive. This
            project's choice.
        max_iter: Limit of iterations, at least 1; scikit-learn's.

    Returns:
        Accuracy in percent.
    """
    regression = make_pipeline(
        StandardScaler(), LogisticRegression(C=cost, max_iter=max_iter)
    )
    with count_unconverged():
        regression.fit(bank.features, bank.labels)
    return 100 * float(regression.score(query.features, query.labels))
