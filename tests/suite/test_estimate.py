"""Device hours: finished runs, begun runs, then what the config states."""

import json

import pytest

from msbreg_mm.runs.record import Record, write_record
from msbreg_mm.suite.estimate import estimate
from msbreg_mm.suite.tasks import load_task


@pytest.fixture
def stated(task_config):
    text = task_config.read_text()
    text = text.replace('metrics=[', "gpu_seconds=(3600, 'V100, somewhere'), metrics=[")
    task_config.write_text(text)
    return task_config


def test_the_config_states_seconds_and_source(stated, make_jobs):
    (found,) = estimate(make_jobs()).values()
    # Three epochs of an hour each.
    assert (found.hours, found.basis) == (3, 'V100, somewhere')
    longer = make_jobs(options=['train_cfg.max_epochs=6'])
    assert estimate(longer)['tiny-rcnn_shapes'].hours == 6


def test_begun_runs_count_more_than_the_config(stated, make_jobs):
    job = make_jobs()[0]
    vis = job.folder / '20250101_000000' / 'vis_data'
    vis.mkdir(parents=True)
    lines = [
        {'lr': 1, 'epoch': epoch, 'iter': 20 * epoch, 'time': 3.0} for epoch in (1, 2)
    ]
    (vis / 'scalars.json').write_text('\n'.join(map(json.dumps, lines)))
    # Two of three epochs in 40 steps: 60 steps of 3 s.
    found = estimate(make_jobs())['tiny-rcnn_shapes']
    assert found.hours == pytest.approx(60 * 3 / 3600)
    assert found.basis == 'begun runs here'


def test_finished_runs_count_most_and_by_devices(stated, make_jobs):
    for seconds, job in zip((3600, 7200), make_jobs(), strict=False):
        job.folder.mkdir(parents=True)
        write_record(
            job.folder,
            Record('t', 'p', 'c', job.identity, {}, [], {}, '', seconds, {}, {}),
        )
    found = estimate(make_jobs(), devices=2)['tiny-rcnn_shapes']
    assert (found.hours, found.basis) == (3, 'finished runs here')


def test_nothing_known_and_malformed(task_config, make_jobs):
    assert estimate(make_jobs()) == {}
    text = task_config.read_text().replace('metrics=[', 'gpu_seconds=52, metrics=[')
    task_config.write_text(text)
    with pytest.raises(
        ValueError, match=r'gpu_seconds holds 52; write \(seconds, source'
    ):
        load_task(task_config)
