"""Mean, spread and paired differences."""

import numpy as np
import pytest
from scipy import stats

from msbreg_mm.reports.statistics import paired_difference, summarize


def test_sample_standard_deviation():
    summary = summarize([1.0, 3.0])
    assert (summary.mean, summary.n) == (2.0, 2)
    assert summary.std == pytest.approx(2**0.5)  # divisor n - 1
    assert summarize([5.0]).std is None
    with pytest.raises(ValueError, match='no values'):
        summarize([])


def test_agrees_with_scipys_paired_test():
    rng = np.random.default_rng(0)
    a, b = rng.normal(1, 1, 6), rng.normal(0, 1, 6)
    mine = paired_difference(dict(enumerate(a)), dict(enumerate(b)))
    theirs = stats.ttest_rel(a, b)
    low, high = theirs.confidence_interval(0.95)
    assert mine.p == pytest.approx(theirs.pvalue)
    assert (mine.low, mine.high) == pytest.approx((low, high))
    assert mine.significant == (theirs.pvalue < 0.05)


def test_pairs_only_shared_seeds():
    found = paired_difference({0: 3.0, 1: 5.0, 7: 100.0}, {1: 1.0, 0: 1.0, 2: 9.0})
    assert (found.mean, found.n) == (3.0, 2)
    assert paired_difference({0: 1.0}, {1: 1.0}) is None


def test_one_seed_and_equal_differences():
    one = paired_difference({0: 2.0}, {0: 1.0})
    assert (one.mean, one.low, one.p, one.significant) == (1.0, None, None, False)
    equal = paired_difference({0: 2.0, 1: 3.0}, {0: 1.0, 1: 2.0})
    assert (equal.mean, equal.n) == (1.0, 2)
    assert (equal.low, equal.high, equal.p, equal.significant) == (None,) * 3 + (False,)
    # Rounded values of two seeds, one difference: nothing is shown by it.
    rounded = paired_difference({0: 53.6, 1: 53.4}, {0: 53.5, 1: 53.3})
    assert rounded.mean == pytest.approx(0.1)
    assert (rounded.low, rounded.significant) == (None, False)
