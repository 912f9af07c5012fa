"""The view of a running suite."""

import io
import time

from rich.console import Console

from msbreg_mm.suite.progress import SuiteView
from msbreg_mm.suite.runner import JobStatus, State, run_suite


def test_plain_lines_without_a_terminal(make_jobs, trainer, tmp_path, monkeypatch):
    monkeypatch.setenv('FAKE_FAIL_SEED', '1')
    stream = io.StringIO()
    with SuiteView(Console(file=stream, width=200)) as view:
        run_suite(
            make_jobs(checkpoints=['random']), tmp_path / 'suite', trainer,
            watch=view, poll=0.02,
        )  # fmt: skip
    text = stream.getvalue()
    assert 'done  tiny-rcnn_shapes · random · seed 0' in text
    assert 'FAILED tiny-rcnn_shapes · random · seed 1' in text
    assert 'category 7 is not in the classes' in text
    assert '\x1b' not in text


def test_live_table_shows_progress_and_time_left(make_jobs):
    first, second = make_jobs(checkpoints=['random'])
    vis = first.folder / '1' / 'vis_data'
    vis.mkdir(parents=True)
    log = vis / 'scalars.json'
    log.write_text('')
    stream = io.StringIO()
    console = Console(file=stream, width=120, height=20, force_terminal=True)
    now = time.monotonic()
    statuses = [
        JobStatus(first, State.RUNNING, started=now - 60), JobStatus(second),
    ]  # fmt: skip
    with SuiteView(console) as view:
        view(statuses)
        log.write_text('{"lr": 1, "epoch": 1, "iter": 20}\n{"step": 1}\n'
                       '{"lr": 1, "epoch": 2, "iter": 30}\n')  # fmt: skip
        view._read_at = 0.0
        view(statuses)
    text = stream.getvalue()
    # one and a half of three epochs took a minute
    assert 'epoch 1/3, 1:00 left' in text
    assert '0 of 2 jobs done, about 3:00 left' in text
