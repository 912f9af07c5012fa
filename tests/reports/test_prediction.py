import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from msbreg_mm.reports.prediction import agreement, kendall_tau

RESULTS = Path(__file__).parents[2] / 'docs' / 'results'


def test_tau_is_scipys_on_repeated_values():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 5, 12), rng.normal(size=12).round(1)
    weights = rng.integers(0, 4, 12)
    again = stats.kendalltau(np.repeat(x, weights), np.repeat(y, weights)).statistic
    assert kendall_tau(x, y, weights) == pytest.approx(again)


def test_a_perfect_measure_has_no_regret():
    metric = {str(i): [float(i), i + 0.1] for i in range(8)}
    found = agreement({str(i): i**2.0 for i in range(8)}, metric, 100)
    assert (found.tau, found.low, found.regret) == (1.0, 1.0, 0.0)
    reverse = agreement({str(i): -float(i) for i in range(8)}, metric, 100)
    assert reverse.tau == -1
    assert reverse.regret == pytest.approx(7)
    with pytest.raises(ValueError, match='at least 3'):
        agreement({'0': 1.0}, metric)


def published():
    """Text, measure and metric of each cell of the table, the primary one first."""
    records = json.loads((RESULTS / 'predict_records.json').read_text())
    lines = (RESULTS / 'predict.md').read_text(encoding='utf-8').splitlines()
    rows = [[cell.strip() for cell in line.split('|')[1:-1]] for line in lines]
    rows = [row for row in rows if row and row[0] in records['measured']]
    assert len(rows) == len(records['measured'])
    for name, *shown in rows:
        for text, key in zip(shown, sorted(records['fine_tuned']), strict=True):
            sign = -1 if name.endswith(('uniformity', 'largest_share')) else 1
            measure = {k: sign * v for k, v in records['measured'][name].items()}
            metric = {
                k: list(v.values()) for k, v in records['fine_tuned'][key].items()
            }
            yield text, measure, metric


def cell(measure, metric):
    found = agreement(measure, metric)
    interval = f'[{found.low:+.2f}, {found.high:+.2f}]'
    return f'{found.tau:+.2f} {interval}; {found.regret:.1f}'


def test_the_published_table_is_that_of_the_records():
    for text, measure, metric in published():
        tau = kendall_tau(
            np.array([measure[k] for k in sorted(measure)]),
            np.array([np.mean(metric[k]) for k in sorted(measure)]),
            np.ones(len(measure)),
        )
        assert text.split()[0] == f'{tau:+.2f}', measure


def test_the_primary_result_has_its_interval_and_regret():
    text, measure, metric = next(published())
    assert text == cell(measure, metric)


@pytest.mark.slow
def test_all_published_results_have_their_intervals_and_regrets():
    for text, measure, metric in published():
        assert text == cell(measure, metric)
