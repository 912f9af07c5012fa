import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from msbreg_mm.evaluation import effective_rank, knn_accuracy
from msbreg_mm.evaluation.features import FeatureSet
from msbreg_mm.evaluation.online_probe import linear_accuracy, online_scores


def digits() -> tuple[FeatureSet, FeatureSet]:
    data, labels = load_digits(return_X_y=True)
    x, y = data.astype(np.float32), labels.astype(np.int64)
    return FeatureSet(x[:600], y[:600]), FeatureSet(x[600:900], y[600:900])


def test_linear_accuracy_against_the_formula() -> None:
    bank, query = digits()
    mean, std = bank.features.mean(axis=0), bank.features.std(axis=0)
    std[std == 0] = 1  # pixels that are always empty
    model = LogisticRegression(C=0.01).fit((bank.features - mean) / std, bank.labels)
    predicted = model.predict((query.features - mean) / std)
    expected = 100 * (predicted == query.labels).mean()
    assert linear_accuracy(bank, query) == pytest.approx(expected, abs=0.4)
    assert expected > 80
    # Features of another scale: the same penalty.
    scaled = [FeatureSet(s.features * 1e-3, s.labels) for s in (bank, query)]
    assert linear_accuracy(*scaled) == pytest.approx(expected, abs=0.4)


@pytest.mark.filterwarnings('error')
def test_a_short_fit_does_not_warn() -> None:
    assert linear_accuracy(*digits(), max_iter=2) > 50


def test_scores() -> None:
    bank, query = digits()
    scores = online_scores(bank, query, 7, 0.1)
    tensors = [
        torch.from_numpy(x) for s in (bank, query) for x in (s.features, s.labels)
    ]
    assert scores == {
        'knn_top1': knn_accuracy(*tensors, (7,), (0.1,))[7, 0.1],
        'linear_top1': linear_accuracy(bank, query),
        'effective_rank': effective_rank(torch.from_numpy(query.features)),
    }
    assert 'linear_top1' not in online_scores(bank, query, cost=None)
