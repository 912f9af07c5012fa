"""All tasks at a glance, and checkpoints against each other."""

import pytest
from scipy import stats
from test_table import make

from msbreg_mm.reports import cells, formats
from msbreg_mm.reports.build import build_tables
from msbreg_mm.reports.overview import build_overview, build_pairs


@pytest.fixture
def tables():
    values = {'byol': (0.25, 0.29, 0.26), 'msbreg': (0.30, 0.34, 0.32)}
    values['random'] = (0.2, 0.22, 0.24)
    rows = [
        make(name, seed, ap)
        for name, seeds in values.items()
        for seed, ap in enumerate(seeds)
    ]
    return build_tables([*rows, make('byol', protocol='q', ap=0.5)])


def test_every_protocol_has_its_own_column(tables):
    overview = build_overview(tables)
    assert [protocol for _, _, protocol in overview.columns] == ['p', 'q']
    assert list(overview.rows) == ['random', 'byol', 'msbreg']
    assert overview.rows['random'][1] is None
    assert overview.rows['byol'][1].mean == pytest.approx(50)
    assert cells.overview_cells(overview)[2] == ['byol', '26.7 ± 2.1', '50.0']
    assert '### Overview' in formats.to_markdown(tables)
    assert '### Overview' not in formats.to_markdown(tables[:1])


def test_pairs_agree_with_scipy(tables):
    (pair,) = build_pairs(tables[0])
    assert pair.names == ('msbreg', 'byol')
    expected = stats.ttest_rel([30, 34, 32], [25, 29, 26])
    low, high = expected.confidence_interval(0.95)
    difference = pair.differences[0]
    assert difference.p == pytest.approx(expected.pvalue)
    assert (difference.low, difference.high) == pytest.approx((low, high))
    assert cells.pair_cells(tables[0])[1] == [
        'msbreg − byol',
        f'+5.3 [{low:+.1f}, {high:+.1f}]*, p = {expected.pvalue:.2g}',
        f'+2.7 [{low / 2:+.1f}, {high / 2:+.1f}]*, p = {expected.pvalue:.2g}',
    ]
    assert cells.pair_cells(tables[1]) == []
