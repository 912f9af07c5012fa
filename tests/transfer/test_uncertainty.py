"""Both kinds of intervals in a suite's report."""

import json
import os
import signal

import pytest
from synthetic import COLUMNS, write_coco, write_suite
from test_details import reference

from msbreg_mm.reports import cells
from msbreg_mm.reports.build import build_tables
from msbreg_mm.reports.uncertainty import CACHE, add_image_differences
from msbreg_mm.runs.record import DRAWS_NOTHING, read_records, write_record
from msbreg_mm.transfer.report import write_report
from msbreg_mm.transfer.uncertainty import read_replicates


@pytest.fixture
def suite(tmp_path):
    """Records that say what the kept predictions give."""
    ann_file = write_coco(tmp_path / 'data', images=20)
    skills = {'random': 0.5, 'BYOL': 0.55, 'MSBReg': 0.95}
    work_dir = tmp_path / 'suite'
    write_suite(
        work_dir, 't', 'p', ann_file, tmp_path / 'data/images', skills, seeds=(0, 1)
    )
    for stored in read_records(work_dir):
        for kind, (key, _, _) in zip(('bbox', 'segm'), COLUMNS, strict=True):
            file = stored.folder / f'predictions.{kind}.json'
            stored.record.metrics[key] = reference(ann_file, file, kind).stats[0]
        write_record(stored.folder, stored.record)
    return work_dir


def tables(work_dir):
    found = build_tables(read_records(work_dir))
    for table in found:
        add_image_differences(table, read_replicates)
    return found


def test_report_shows_both_and_what_they_mean(suite):
    (table,) = tables(suite)
    head, *rows = cells.uncertainty_cells(table)
    assert head[3:] == ['over seeds', 'p', 'over images', 'p', 'beyond']
    assert [row[0] for row in rows] == ['BYOL', 'BYOL', 'MSBReg', 'MSBReg']
    random, byol, msbreg = table.rows
    for row in (byol, msbreg):
        for key in row.differences:
            seeds, images = row.differences[key], row.image_differences[key]
            assert images.mean == pytest.approx(seeds.mean, abs=0.01)
            assert (seeds.n, images.n) == (2, 20)
            assert images.holm >= images.p
    assert msbreg.image_differences['coco/bbox_mAP'].significant
    assert rows[2][-1].endswith('images')
    text = cells.about_uncertainty(table)
    assert 'other images like these 20' in text
    assert 'fewer than three seeds the first knows next to nothing' in text
    page = write_report(suite)
    for name in ('report.html', 'table.md'):
        assert 'paired bootstrap' in page.with_name(name).read_text()
    kept = json.loads(page.with_name('table.json').read_text())['tables'][0]
    shown = kept['checkpoints'][2]['image_differences']['coco/bbox_mAP']
    assert shown['significant'] is True
    assert random.image_differences == {}


def test_is_computed_once(suite):
    before = tables(suite)[0].rows[1].image_differences
    for file in suite.rglob('vis_data/config.json'):
        file.unlink()
    assert tables(suite)[0].rows[1].image_differences == before


def test_predictions_of_another_run_are_not_used(suite):
    folder = next(suite.glob('t/MSBReg*/seed1'))
    other = next(suite.glob('t/BYOL*/seed1'))
    text = (other / 'predictions.bbox.json').read_text()
    (folder / 'predictions.bbox.json').write_text(text)
    (table,) = tables(suite)
    assert 'coco/bbox_mAP' not in table.rows[2].image_differences
    assert 'coco/segm_mAP' in table.rows[2].image_differences
    assert 'no interval over images for box AP: what MSBReg, seed 1' in table.notes[0]


def test_damaged_predictions_leave_a_note_and_the_tables(suite):
    folder = next(suite.glob('t/MSBReg*/seed1'))
    (folder / 'predictions.bbox.json').write_text('[{"image_id": 0}]')
    (table,) = tables(suite)
    assert 'no intervals over images: ' in table.notes[0]
    assert cells.uncertainty_cells(table) == []
    assert not (folder / CACHE).exists()


@pytest.mark.parametrize(
    'name',
    [
        'details.evaluate',
        'uncertainty.match_detections',
        'sections.compare_predictions',
    ],
)
def test_a_crash_of_the_evaluator_leaves_a_note_and_the_tables(
    suite, monkeypatch, name
):
    def crash(*_):
        os.kill(os.getpid(), signal.SIGSEGV)

    monkeypatch.setattr(f'msbreg_mm.transfer.{name}', crash)
    page = write_report(suite).read_text()
    assert 'COCO cannot evaluate it: the reader crashed (SIGSEGV)' in page
    assert 'MSBReg' in page


def test_a_bug_is_no_note(suite, monkeypatch):
    def broken(*_):
        raise TypeError('a bug')

    monkeypatch.setattr('msbreg_mm.transfer.sections.compare_predictions', broken)
    with pytest.raises(TypeError, match='a bug'):
        write_report(suite)


def test_what_draws_nothing_counts_once(suite):
    for stored in read_records(suite):
        if stored.record.checkpoint == 'MSBReg':
            stored.record.notes = [DRAWS_NOTHING]
            stored.record.metrics['coco/bbox_mAP'] = 0.9
            write_record(stored.folder, stored.record)
    (table,) = build_tables(read_records(suite))
    row = table.rows[2]
    assert row.seeds == [0]
    assert row.differences['coco/bbox_mAP'].n == 1
    assert not row.differences['coco/bbox_mAP'].significant
    assert DRAWS_NOTHING in cells.row_cells(table, row)[0]
