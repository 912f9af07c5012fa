"""Tables never mix protocols, and every format says the same."""

import csv
import io
from pathlib import Path

import pytest
from rich.console import Console
from synthetic import COLUMNS

from msbreg_mm.reports import cells, formats
from msbreg_mm.reports.build import build_tables
from msbreg_mm.reports.published import published_protocols, published_rows
from msbreg_mm.reports.terminal import print_tables
from msbreg_mm.runs.record import (
    Identity,
    Record,
    StoredRecord,
    read_record,
    read_records,
    write_record,
)


def make(name='random', seed=0, ap=0.2, protocol='p', config='c' * 64, notes=(), **kw):
    sha = '' if name == 'random' else name[0].encode().hex() * 32
    record = Record(
        'task_1', protocol, name, Identity(config, sha, seed),
        {'coco/bbox_mAP': ap, 'coco/segm_mAP': ap / 2} | kw, COLUMNS,
        {'torch': '2.14.1'}, 'CPU', 60.0,
        {'unit': 'epoch', 'total': 2, 'batch_size': 4}, {}, list(notes),
    )  # fmt: skip
    return StoredRecord(record, Path('nowhere'))


@pytest.fixture
def tables():
    return build_tables([
        make('msbreg', 0, 0.30), make('msbreg', 1, 0.34), make('msbreg', 2, 0.32),
        make('random', 0, 0.20), make('random', 1, 0.22), make('random', 2, 0.24),
        make('byol', 0, 0.25, notes=['partial checkpoint']),
    ])  # fmt: skip


def test_rows_baseline_first_and_differences(tables):
    (table,) = tables
    assert [row.name for row in table.rows] == ['random', 'byol', 'msbreg']
    summary = table.rows[2].summaries['coco/bbox_mAP']
    assert (summary.mean, summary.std) == pytest.approx((32, 2))
    difference = table.rows[2].differences['coco/bbox_mAP']
    # differences 10, 12, 8: mean 10, std 2, t(0.975, 2) = 4.3027
    assert difference.mean == pytest.approx(10)
    assert difference.low == pytest.approx(10 - 4.30265 * 2 / 3**0.5, abs=1e-3)
    assert table.rows[1].differences['coco/bbox_mAP'].n == 1
    assert table.rows[0].differences == {}


def test_protocols_and_configs_never_share_a_table():
    found = build_tables(
        [make(), make(protocol='q'), make(config='d' * 64, seed=1), make(seed=2)]
    )
    assert [(t.protocol, t.config_hash[0]) for t in found] == [
        ('p', 'c'), ('p', 'd'), ('q', 'c'),
    ]  # fmt: skip
    assert found[0].rows[0].seeds == [0, 2]


def test_two_files_with_one_name_are_two_rows():
    first, second = make('msbreg'), make('msbreg', 1)
    second.record.identity = Identity('c' * 64, 'f' * 64, 1)
    (table,) = build_tables([first, second])
    assert [row.name for row in table.rows] == [
        'msbreg (6d6d6d6d)',
        'msbreg (ffffffff)',
    ]


def test_one_pretraining_per_seed_is_one_row():
    records = [make('msbreg', seed, 0.3 + seed / 100) for seed in (0, 1, 1)]
    for index, stored in enumerate(records):
        record = stored.record
        record.per_seed = True
        record.finished = f'2025-01-0{index + 1}T00:00:00+00:00'
        record.identity = Identity('c' * 64, str(index) * 64, record.identity.seed)
    (table,) = build_tables([*records, make('random'), make('msbreg', 2)])
    assert [row.name for row in table.rows] == [
        'random', 'msbreg (6d6d6d6d)', 'msbreg (per seed)',
    ]  # fmt: skip
    row = table.rows[2]
    assert row.notes == ['one pretraining per seed']
    # The second pretraining of seed 1 replaces the first.
    shas = [s.record.identity.checkpoint_sha256[0] for s in row.records]
    assert shas == ['0', '2']
    assert 'sha256 000000000000, 222222222222' in formats.to_markdown([table])


def test_cells(tables):
    (table,) = tables
    assert cells.headers(table) == [
        'checkpoint', 'seeds', 'box AP', 'Δ box AP', 'mask AP', 'Δ mask AP',
    ]  # fmt: skip
    assert cells.row_cells(table, table.rows[1]) == [
        'byol (partial checkpoint)', '1', '25.0', '+5.0', '12.5', '+2.5',
    ]  # fmt: skip
    assert cells.row_cells(table, table.rows[2])[2:5] == [
        '32.0 ± 2.0', '+10.0 [+5.0, +15.0]*', '16.0 ± 1.0',
    ]  # fmt: skip


def test_absent_sizes_are_no_minus_one():
    stored = make()
    stored.record.columns = [('coco/bbox_mAP_l', 'AP large', 100.0)]
    stored.record.metrics['coco/bbox_mAP_l'] = -1.0
    (table,) = build_tables([stored])
    assert cells.row_cells(table, table.rows[0]) == ['random', '1', '–']


def test_markdown_says_where_numbers_come_from(tables):
    text = formats.to_markdown(tables)
    assert '| random | 3 | 22.0 ± 2.0 |' in text
    for fact in ('Protocol: p', 'seeds 0, 1, 2', 'config cccccccccccc', 'torch 2.14.1'):
        assert fact in text
    blocks = [part.splitlines() for part in text.split('\n\n') if part[0] == '|']
    assert len(blocks) == 2  # the rows, and msbreg against byol
    for block in blocks:
        assert len({line.count('|') for line in block}) == 1


def test_latex_is_escaped_and_balanced(tables):
    tables[0].protocol = '100 % of A_B & C'
    text = formats.to_latex(tables)
    assert r'100 \% of A\_B \& C' in text
    assert r'\toprule' in text
    assert r'32.0 $\pm$ 2.0' in text
    assert text.count(r'\begin{') == text.count(r'\end{')
    rows = [line for line in text.splitlines() if line.endswith(r'\\')]
    assert {row.replace(r'\&', '').count('&') for row in rows} == {5}


def test_csv_holds_every_run_and_its_origin(tables):
    rows = list(csv.DictReader(io.StringIO(formats.to_csv(tables))))
    assert len(rows) == 7 * 2
    assert all(row['config_hash'] == 'c' * 64 for row in rows)
    assert {row['seed'] for row in rows} == {'0', '1', '2'}
    assert float(rows[0]['value']) == 0.2


def test_terminal_shows_baseline_warning():
    console = Console(record=True, width=120, file=io.StringIO())
    print_tables(build_tables([make('msbreg')]), console)
    text = console.export_text()
    assert 'no random-initialisation baseline' in text
    assert '30' not in text


def test_published_rows_only_for_their_own_protocol():
    (table,) = build_tables([make(protocol='COCO Mask R-CNN R50-C4 1x')])
    names = [row.name for row in table.published]
    assert names[:2] == ['scratch', 'supervised']
    assert table.published[1].values == {'box AP': 38.2, 'mask AP': 33.3}
    assert 'PixPro' in formats.to_markdown([table])
    changed = make(protocol='COCO Mask R-CNN R50-C4 1x + train_cfg.max_iters=10')
    assert build_tables([changed])[0].published == []


def test_published_data_is_complete():
    protocols = published_protocols()
    assert len(set(protocols)) == len(protocols)
    for protocol in protocols:
        for row in published_rows(protocol):
            assert row.source
            assert all(0 < value < 100 for value in row.values.values())


def test_records_survive_the_disk_and_damaged_ones_do_not_count(tmp_path):
    folder = tmp_path / 'task' / 'random' / 'seed0'
    folder.mkdir(parents=True)
    write_record(folder, make().record)
    assert read_record(folder) == make().record
    text = (folder / 'result.json').read_text()
    (folder / 'result.json').write_text(text[:-20])
    assert read_record(folder) is None
    (folder / 'result.json').write_text(text.replace('"version": 1', '"version": 0'))
    assert read_records(tmp_path) == []
    with pytest.raises(FileNotFoundError, match='--work-dir of msbreg transfer'):
        read_records(tmp_path / 'absent')


def test_fewer_values_than_seeds_are_counted():
    """smg#2439: a metric that only some seeds have must not look like all of them."""
    found = [make('x', 0, 0.30), make('x', 1, 0.34), make('x', 2, 0.32)]
    found[1].record.metrics['coco/segm_mAP'] = -1.0  # COCO's word for undefined
    (table,) = build_tables(found)
    texts = cells.row_cells(table, table.rows[0])
    assert texts[1:] == ['3', '32.0 ± 2.0', '15.5 ± 0.7 (n = 2)']
