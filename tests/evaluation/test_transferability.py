import numpy as np
import pytest
from scipy import stats

from msbreg_mm.evaluation.transferability import log_evidence, logme


@pytest.mark.parametrize('shape', [(40, 6), (10, 15)])
def test_evidence_is_the_density_of_the_marginal_normal(shape):
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape)
    y = x[:, 0] + rng.normal(size=len(x))
    value, alpha, beta = log_evidence(x, y)
    cov = np.eye(len(x)) / beta + x @ x.T / alpha
    expected = stats.multivariate_normal(np.zeros(len(x)), cov).logpdf(y) / len(x)
    assert value == pytest.approx(expected, abs=1e-6)


def test_features_that_know_the_class_are_better():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 90)
    noise = rng.normal(size=(90, 8))
    assert logme(noise + 4 * np.eye(8)[labels], labels) > logme(noise, labels)
    with pytest.raises(ValueError, match='two classes'):
        logme(noise, np.zeros(90))
