"""Whole suites around the fake trainer: what is printed and returned."""

import io
import re
import sys
from pathlib import Path

import pytest
from rich.console import Console

from msbreg_mm.suite.options import SuiteOptions
from msbreg_mm.suite.preflight import Preflight, Problem
from msbreg_mm.transfer.run import report, run
from msbreg_mm.utils.errors import InputError, MissingInputError, OutputError

FAKE = Path(__file__).parents[1] / 'fake_trainer.py'


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=200, record=True)


@pytest.fixture
def options(task_config, backbone, tmp_path):
    def make(**changes):
        given = dict(
            checkpoints=['random', f'ours={backbone}'], tasks=[str(task_config)],
            seeds=[0], work_dir=str(tmp_path / 'suite'), gpus_per_job=0,
            command=(sys.executable, str(FAKE)), skip_preflight=True,
        )  # fmt: skip
        return SuiteOptions(**(given | changes))

    return make


def test_dry_run_lists_jobs_and_starts_nothing(options, console, tmp_path):
    assert run(options(dry_run=True), console) == 0
    text = console.export_text()
    assert '2 jobs, 2 to run.' in text
    assert 'No estimate for tiny-rcnn_shapes before a first run' in text
    assert '3 epochs, batch 4' in text
    assert not (tmp_path / 'suite').exists()


def test_dry_run_estimates_from_finished_runs(options, console):
    assert run(options(checkpoints=['random']), console) == 0
    assert run(options(seeds=[0, 1], dry_run=True), console) == 0
    text = console.export_text()
    assert '4 jobs, 3 to run.' in text
    found = re.search(r'About (\d+\.\d) device minutes by finished runs here\.', text)
    assert float(found[1]) < 0.3  # 0.00 hours
    assert 'done before' in text


def test_run_prints_tables_and_report_reads_them_again(options, console, tmp_path):
    assert run(options(), console) == 0
    assert 'Report:' in console.export_text()
    assert (tmp_path / 'suite' / 'report.html').is_file()
    assert report(str(tmp_path / 'suite'), console=console) == 0
    text = console.export_text()
    assert 'ours' in text
    assert '40.0' in text


def test_failures_set_the_exit_code(options, console, monkeypatch):
    monkeypatch.setenv('FAKE_MODE', 'fail')
    assert run(options(checkpoints=['random']), console) == 1
    text = console.export_text()
    assert '1 job failed' in text
    assert 'No finished job' in text


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'checkpoints': []}, 'at least one checkpoint'),
        ({'tasks': []}, 'msbreg tasks'),
        ({'tasks': ['nope']}, "no task 'nope'"),
        ({'checkpoints': ['nope.pth']}, 'no checkpoint nope.pth'),
        ({'cfg_options': ['lr']}, "got 'lr'"),
        ({'cluster': 'slurm', 'slurm_options': ['gpu']}, "--slurm-options takes"),
    ],
)  # fmt: skip
def test_bad_input(options, console, changes, message):
    with pytest.raises(InputError, match=message):
        run(options(**changes), console)


def test_full_disk_names_the_folder_and_keeps_what_is_done(
    options, console, monkeypatch, tmp_path
):
    assert run(options(checkpoints=['random']), console) == 0
    done = tmp_path / 'suite' / 'tiny-rcnn_shapes' / 'random' / 'seed0' / 'result.json'
    before = done.read_bytes()

    def full(self, *args, **kwargs):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('msbreg_mm.suite.runner._Suite._start', full)
    with pytest.raises(OutputError, match=f'the disk of {tmp_path / "suite"} is full'):
        run(options(seeds=[0, 1]), console)
    assert done.read_bytes() == before


def test_report_of_a_missing_folder():
    with pytest.raises(MissingInputError, match='no folder nowhere'):
        report('nowhere')


def test_a_suite_of_which_jobs_would_fail_is_not_started(options, monkeypatch, console):
    seen = []

    def look(jobs, trainer, work_dir, watch):
        seen.append((len(jobs), trainer.settings))
        return Preflight([Problem('task', 'ours', 'no such layer')], 0)

    monkeypatch.setattr('msbreg_mm.transfer.run.preflight', look)
    for dry_run in (True, False):
        chosen = options(skip_preflight=False, dry_run=dry_run, amp=True)
        with pytest.raises(InputError, match='1 problem, nothing was started') as error:
            run(chosen, console)
        assert '- task · ours: no such layer' in str(error.value)
    assert seen == [(2, ('--amp',))] * 2
    assert not list(Path(chosen.work_dir).rglob('train.log'))


def test_other_length_stands_in_the_label(options, console):
    assert run(options(epochs=2, dry_run=True), console) == 0
    assert '2 epochs' in console.export_text()
    assert run(options(epochs=3), console) == 0
    assert 'tiny protocol + epochs=3' in console.export_text()
