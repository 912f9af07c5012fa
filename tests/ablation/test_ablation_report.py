"""The report of an ablation, from records and logs that are written by hand."""

import io
import json
import re
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pytest
from chromium import screenshot
from matplotlib.backends.backend_agg import FigureCanvasAgg
from rich.console import Console

from msbreg_mm.ablation.curves import curve, ended_collapsed
from msbreg_mm.ablation.layout import factor_series, log_axis, make_layout
from msbreg_mm.ablation.page import describe
from msbreg_mm.ablation.plan import plan_evaluation, plan_pretraining
from msbreg_mm.ablation.report import write_report
from msbreg_mm.ablation.results import collect
from msbreg_mm.ablation.spec import load_ablation
from msbreg_mm.evaluation.outcomes import OUTCOMES, make_hits
from msbreg_mm.reports import cells
from msbreg_mm.reports.figure_files import sheet
from msbreg_mm.reports.plots import series_colour
from msbreg_mm.reports.terminal import print_tables
from msbreg_mm.runs.folder import FAILURE
from msbreg_mm.runs.log import Log
from msbreg_mm.runs.record import write_record
from msbreg_mm.suite.recording import make_record
from msbreg_mm.suite.tasks import resolve_tasks
from msbreg_mm.utils.files import write_json

GRID = (
    "grid={'model.head.weight': [0, 0.01, 0.1], 'term': {'with': {},"
    "'without': {'model.head.term': None}}}, variants={'none': None},"
    "reference='with', seeds=(0, 1, 2), description='d'"
)


TEXT = '{http://www.w3.org/2000/svg}text'


def write_run(job, lines, checkpoint='random'):
    vis = job.folder / '20250101_000000' / 'vis_data'
    vis.mkdir(parents=True)
    text = ''.join(json.dumps(line) + '\n' for line in lines)
    (vis / 'scalars.json').write_text(text)
    write_json(job.folder / 'checkpoint_report.json', {'checkpoint': checkpoint})
    write_record(job.folder, make_record(job, (), 90.0, '2026-01-01T00:00:00+00:00'))


def finish(config, accuracy, work_dir, collapsed=(), diverged=()):
    """Write the runs of an ablation; ``accuracy(variant, seed)`` is the kNN's."""
    ablation = load_ablation(config)
    runs = plan_pretraining(ablation, work_dir)
    for run in runs:
        key = run.variant.name, run.seed
        if run.job is None:
            continue
        if key in diverged:
            reason = 'code 1: FloatingPointError: loss is not finite\nlog'
            write_json(run.job.folder / FAILURE, {'reason': reason})
            continue
        run.job.folder.mkdir(parents=True)
        (run.job.folder / 'epoch_3.pth').write_text(str(key))
        lines = [{'probe/knn_top1': 20.0, 'step': 0}]
        for i in range(1, 31):
            line = {'lr': 0.1, 'loss': 1 / i, 'iter': i, 'epoch': -(-i // 10)}
            rank = {'effective_rank': 1.0 if key in collapsed else 9.0 + i + run.seed}
            reading = {'collapsed_readings': i} if key in collapsed else {}
            lines.append(line | rank | reading | {'step': i})
        lines.append({'probe/knn_top1': accuracy(*key) - 1, 'step': 3})
        write_run(run.job, lines)
    tasks = resolve_tasks(ablation.tasks)
    for job in plan_evaluation(tasks, runs, work_dir):
        value = accuracy(job.checkpoint.name, job.identity.seed)
        line = {'knn/top1': value, 'geometry/effective_rank': 7.0, 'step': 1}
        write_run(job, [line], job.checkpoint.path)
    return collect(ablation, runs, plan_evaluation(tasks, runs, work_dir))


def grid_accuracy(name, seed):
    gain = {'none': -5, 'with': 0, 'without': -2}[name.rpartition(', ')[2]]
    return 30.0 + gain + seed + 0.1 * (gain == -2) * (seed == 1)


@pytest.fixture
def grid(write_ablation, tmp_path):
    name = 'head.weight=0, without'
    return finish(
        write_ablation(GRID), grid_accuracy, tmp_path / 'runs',
        collapsed=[(name, 0), (name, 2)], diverged=[('head.weight=0.1, with', 1)],
    )  # fmt: skip


def test_rows_by_hand(grid):
    titles = cells.headers(grid)
    rows = {row.variant.name: cells.row_cells(grid, row) for row in grid.rows}
    assert titles == [
        'variant', 'seeds', '20-NN', 'Δ 20-NN', 'rank', 'effective rank, embeddings',
        'collapsed', 'pretraining, min',
    ]  # fmt: skip
    assert rows['head.weight=0, with'] == [
        'head.weight=0, with', '3', '31.0 ± 1.0', '–', '7.0 ± 0.0', '40.0 ± 1.0',
        '0 of 3', '1.5 ± 0.0',
    ]  # fmt: skip
    # Differences -2, -1.9, -2: mean -1.967, standard error 0.0333, t(2) = 4.303.
    assert rows['head.weight=0, without'][3] == '-2.0 [-2.1, -1.8]*'
    assert rows['head.weight=0, without'][6] == '2 of 3'
    assert rows['head.weight=0.1, with'][1] == '2 (1 diverged)'
    # Only the seeds that both have.
    assert rows['head.weight=0.1, without'][3] == '-2.0'  # no spread
    assert rows['none'][3] == '–'
    assert rows['none'][6] == '–'


def test_difference_to_one_variant(write_ablation, tmp_path):
    text = "variants={'a': {}, 'b': {'model.gain': 3.0}}, reference='b', seeds=(0, 1)"
    results = finish(
        write_ablation(text), lambda name, seed: 30.0 + (name == 'a') * (1 + seed),
        tmp_path / 'runs',
    )  # fmt: skip
    first, second = results.rows
    difference = first.differences['probe_tiny/knn/top1']
    assert (difference.mean, difference.n, difference.significant) == (1.5, 2, False)
    assert second.differences == {}
    assert "to 'b', paired" in cells.footnote(results)


def test_layout_of_a_grid(grid):
    layout = make_layout(grid)
    assert list(layout.panels) == [
        'head.weight=0', 'head.weight=0.01', 'head.weight=0.1', 'none',
    ]  # fmt: skip
    assert layout.series == ['with', 'without', 'none']
    assert [layout.palette.css_index(name) for name in layout.series] == [0, 1, 0]
    lines = factor_series(grid, 'head.weight')
    assert list(lines) == ['with', 'without']
    assert [level for level, _ in lines['without']] == [0, 0.01, 0.1]
    assert factor_series(grid, 'term') == {}


def test_many_variants_are_spread_over_panels(write_ablation, tmp_path):
    names = ', '.join(f"'v{i}': {{'model.gain': {i}.0}}" for i in range(12))
    config = write_ablation(f"variants={{{names}}}, reference='v0', seeds=(0,)")
    layout = make_layout(finish(config, lambda *_: 30.0, tmp_path / 'runs'))
    assert [len(panel) for panel in layout.panels.values()] == [8, 5]
    assert all('v0' in panel for panel in layout.panels.values())
    for panel in layout.panels.values():
        colours = [layout.palette.css_index(name) for name in panel]
        assert len(set(colours)) == len(colours)


@pytest.mark.parametrize(
    ('levels', 'expected'),
    [([1, 2, 4, 8], True), ([1, 2, 4], False), ([0, 0.01, 0.1], True), ([-1, 9], False),
     ([0, 1], False)],
)  # fmt: skip
def test_log_axis(levels, expected):
    assert log_axis(levels) is expected


def test_curves_and_collapse():
    def log(readings):
        lines = [{'iter': 10 * i + 10, 'effective_rank': 9 - i // 2} for i in range(10)]
        for line, count in zip(lines, readings, strict=True):
            line['collapsed_readings'] = count
        return Log(train=lines, val=[(0.0, {'probe/x': 1.0}), (4.0, {'probe/x': 3.0})])

    recovered = log([1, 2, 3, 3, 3, 3, 3, 3, 3, 3])
    assert not ended_collapsed(recovered)
    assert ended_collapsed(log([0, 0, 0, 0, 0, 0, 0, 0, 0, 1]))
    assert curve(recovered, 'effective_rank') == {10: 9, 30: 8, 50: 7, 70: 6, 90: 5}
    assert curve(recovered, 'probe/x') == {0: 1.0, 100: 3.0}
    assert curve(Log(), 'loss') == {}


def test_files(grid, tmp_path):
    page = write_report(grid, tmp_path / 'runs')
    tex = page.with_suffix('.tex').read_text()
    assert r'head.weight=0, with & 3 & 31.0 $\pm$ 1.0 & -- &' in tex
    content = json.loads(page.with_suffix('.json').read_text())
    assert content['factors'] == ['head.weight', 'term']
    assert content['variants'][1]['levels'] == {'head.weight': 0, 'term': 'without'}
    assert content['variants'][1]['runs'][0]['collapsed'] is True
    record = content['variants'][0]['runs'][0]['records'][0]
    assert record['task'] == 'pretraining'
    assert 'torch' in record['versions']
    text = page.read_text()
    assert text.count('<svg') == len(re.findall('<figure>', text)) >= 10
    for url in re.findall(r'(?:href|src)="([^"]*)"', text):
        assert url.startswith('#') or url == 'data:,', url
    assert '<script' not in text
    assert 'nan' not in re.sub(r'[a-z]nan|nan[a-z]', '', text)
    description = describe(grid)
    assert len(description.factors) == 3
    assert 'within seed noise' not in ' '.join(description.findings)


@pytest.mark.parametrize('width', [60, 80, 100, 140, 200])
def test_no_figure_is_broken_in_a_terminal(grid, width):
    console = Console(width=width, file=io.StringIO())
    print_tables([grid], console)
    text = console.file.getvalue()
    table, _, rest = text[: text.index('seeds 0, 1, 2')].partition('No room for: ')
    assert max(map(len, table.splitlines())) <= width
    head = cells.headers(grid)
    left_out = [title for title in head if title in rest]
    assert bool(left_out) == (width <= 100), left_out
    for row in grid.rows:
        for title, cell in zip(head, cells.row_cells(grid, row), strict=True):
            for part in re.sub(r' ([\[±])', r'\n\1', cell).split('\n'):
                assert title in left_out or part in table, (title, cell)


def test_figure_files(grid, tmp_path):
    page = write_report(grid, tmp_path / 'runs')
    files = {p.name: p.read_text() for p in page.parent.glob('*.svg')}
    assert sorted(files) == [
        'ablation-curves-effective_rank.svg', 'ablation-curves-probe-knn_top1.svg',
        'ablation-factors.svg', 'ablation-seeds.svg',
    ]  # fmt: skip
    for name, text in files.items():
        assert 'var(--' not in text, name
        assert not re.search('#040[0-9]', text), 'a stand-in colour is left'
        labels = [label.text for label in ElementTree.fromstring(text).iter(TEXT)]
        assert {'with', 'without'} <= set(labels), name


def test_sheets_are_one_figure_without_overlap(grid):
    sheets = describe(grid).sheets()
    assert len(sheets['curves-effective_rank'][0]) == 3  # levels of the first factor
    for name, (panels, legend) in sheets.items():
        colours = {key: series_colour(index) for key, index in legend.items()}
        figure = sheet(panels, colours)
        FigureCanvasAgg(figure).draw()
        assert len(figure.axes) == len(panels)
        boxes = [axes.get_tightbbox() for axes in figure.axes]
        boxes += [box.get_window_extent() for box in figure.legends]
        assert not any(one.overlaps(two) for one, two in combinations(boxes, 2)), name
        for box in boxes:
            assert min(box.min) >= 0
            assert (box.max <= figure.bbox.max).all(), name
        handles = figure.legends[0].legend_handles
        assert [handle.get_color() for handle in handles] == list(colours.values())


def test_one_panel_makes_one_sheet_of_curves(write_ablation, tmp_path):
    config = write_ablation("variants={'a & b': {}, 'b': {}}, seeds=(0, 1)")
    results = finish(config, lambda *_: 1.0, tmp_path / 'runs')
    page = write_report(results, tmp_path / 'runs')
    assert not list(page.parent.glob('*-curves-*.svg'))
    sheet = ElementTree.parse(page.with_name('ablation-curves.svg')).getroot()
    assert 'a & b' in [label.text for label in sheet.iter(TEXT)]


def test_images_beside_seeds(write_ablation, tmp_path):
    """Runs that kept their hits have an interval over images too."""
    config = write_ablation("variants={'a': {}, 'b': {}}, reference='a', seeds=(0, 1)")
    finish(config, lambda name, _: 50.0 if name == 'a' else 75.0, tmp_path / 'runs')
    for name, share in (('a', 2), ('b', 3)):
        right = np.arange(40) % 4 < share
        for folder in (tmp_path / 'runs/probe_tiny' / name).iterdir():
            make_hits(np.zeros(40, int), {'knn/top1': right}).save(folder / OUTCOMES)
    ablation = load_ablation(config)
    runs = plan_pretraining(ablation, tmp_path / 'runs')
    tasks = resolve_tasks(ablation.tasks)
    jobs = plan_evaluation(tasks, runs, tmp_path / 'runs')
    page = write_report(collect(ablation, runs, jobs), tmp_path / 'runs')
    row = json.loads(page.with_suffix('.json').read_text())['variants'][1]
    found = row['image_differences']['probe_tiny/knn/top1']
    assert (found['mean'], found['n'], found['significant']) == (25, 40, True)
    assert row['differences']['probe_tiny/knn/top1']['significant'] is False
    assert 'Seeds and images' in page.read_text()


def test_nothing_finished(write_ablation, tmp_path):
    config = write_ablation("variants={'x': {}}, seeds=(0,)")
    results = finish(config, None, tmp_path / 'runs', diverged=[('x', 0)])
    with pytest.raises(ValueError, match=r'no finished run in .*FloatingPointError'):
        write_report(results, tmp_path / 'runs')


@pytest.mark.parametrize(('width', 'dark'), [(420, True)])
def test_chromium_shows_the_ablation(grid, tmp_path, width, dark):
    page = write_report(grid, tmp_path / 'runs')
    pixels = screenshot(page, tmp_path, width, dark)
    ink, paper = (pixels < 90).mean(), (pixels > 200).mean()
    assert (ink > paper) == dark
    assert min(ink, paper) > 0.005
