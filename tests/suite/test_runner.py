"""The suite with a fake trainer: it runs, fails, is killed and goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from msbreg_mm.runs.record import read_failures, read_record, read_records
from msbreg_mm.suite.cluster import Cluster, local_cluster
from msbreg_mm.suite.job import LOCK, JobRun
from msbreg_mm.suite.runner import State, _terminable, run_suite
from msbreg_mm.suite.trainer import child_environment
from msbreg_mm.utils.locks import FileLock, LockedError, is_locked


def states(statuses):
    return [status.state for status in statuses]


def calls(job):
    text = (job.folder / 'calls.txt').read_text()
    return [json.loads(line)[0] for line in text.splitlines()]


def test_runs_records_and_then_only_what_is_missing(make_jobs, trainer, tmp_path):
    suite = tmp_path / 'suite'
    cluster = Cluster(slots=((), ()))
    first = run_suite(make_jobs(), suite, trainer, cluster, poll=0.02)
    assert states(first) == [State.DONE] * 4
    record = read_record(first[1].job.folder)
    # 3 epochs, pretrained: 0.1 * 3 + 0.1 + 0.01 * seed
    assert record.metrics['coco/bbox_mAP'] == pytest.approx(0.4)
    assert record.identity == first[1].job.identity
    assert record.protocol == 'tiny protocol'
    assert record.versions['torch']
    assert record.device.startswith('CPU')
    assert record.match_report['matched'] == 2
    assert record.wall_time_s > 0

    again = run_suite(make_jobs(seeds=(0, 1, 2)), suite, trainer, cluster, poll=0.02)
    assert states(again) == [State.CACHED] * 4 + [State.DONE] * 2
    assert len(read_records(suite)) == 6


@pytest.mark.parametrize(('mode', 'times'), [('interrupted', 2), ('hidden', 1)])
def test_interrupted_trainer_is_resumed_and_the_record_says_so(
    make_jobs, trainer, tmp_path, monkeypatch, mode, times
):
    monkeypatch.setenv('FAKE_MODE', mode)
    jobs = make_jobs(seeds=(0,), checkpoints=['random'])
    folder = jobs[0].folder
    folder.mkdir(parents=True, exist_ok=True)
    changed = {'epoch': 1, 'iteration': 20, 'changes': ['batch_size 4 -> 8']}
    run_suite(jobs, tmp_path / 'suite', trainer, poll=0.02)
    assert [call['resume'] for call in calls(jobs[0])] == [False, *[True] * times]
    (folder / 'result.json').unlink()
    (folder / 'resumes.jsonl').write_text(json.dumps(changed) + '\n')
    run_suite(jobs, tmp_path / 'suite', trainer, poll=0.02)
    assert read_record(folder).notes == [
        'resumed 1 time',
        'resumed at epoch 1, iteration 20 with another plan: batch_size 4 -> 8',
    ]


def test_changed_checkpoint_or_config_is_run_again(make_jobs, trainer, tmp_path):
    suite = tmp_path / 'suite'
    jobs = make_jobs(seeds=(0,), checkpoints=['random'])
    run_suite(jobs, suite, trainer, poll=0.02)
    changed = make_jobs((0,), ['random'], options=['train_dataloader.batch_size=8'])
    assert changed[0].folder == jobs[0].folder
    assert states(run_suite(changed, suite, trainer, poll=0.02)) == [State.DONE]
    # The old run was not resumed, and it is not lost.
    assert [call['resume'] for call in calls(changed[0])] == [False]
    (kept,) = jobs[0].folder.parent.glob('.replaced-seed0-*')
    assert (kept / 'result.json').is_file()
    assert len(read_records(suite)) == 1


def test_failed_job_is_reported_and_stops_no_other(
    make_jobs, trainer, tmp_path, monkeypatch
):
    suite = tmp_path / 'suite'
    monkeypatch.setenv('FAKE_FAIL_SEED', '0')
    jobs = make_jobs(checkpoints=['random'])
    statuses = run_suite(jobs, suite, trainer, poll=0.02)
    assert states(statuses) == [State.FAILED, State.DONE]
    assert 'category 7 is not in the classes' in statuses[0].reason
    first_line = statuses[0].reason.splitlines()[0]
    assert first_line.startswith('the trainer ended with code 1: ValueError: category')
    (reason,) = read_failures(suite).values()
    assert reason == statuses[0].reason
    monkeypatch.delenv('FAKE_FAIL_SEED')
    assert states(run_suite(jobs, suite, trainer, poll=0.02)) == [
        State.DONE, State.CACHED,
    ]  # fmt: skip
    assert read_failures(suite) == {}


def test_out_of_memory_says_what_to_do(make_jobs, trainer, tmp_path, monkeypatch):
    monkeypatch.setenv('FAKE_MODE', 'oom')
    jobs = make_jobs(seeds=(0,), checkpoints=['random'])
    (status,) = run_suite(jobs, tmp_path / 'suite', trainer, poll=0.02)
    assert 'lower train_dataloader.batch_size' in status.reason


def test_a_detector_that_finds_nothing_scores_zero(
    make_jobs, trainer, tmp_path, monkeypatch
):
    monkeypatch.setenv('FAKE_MODE', 'nothing')
    jobs = make_jobs(seeds=(0,), checkpoints=['random'])
    (status,) = run_suite(jobs, tmp_path / 'suite', trainer, poll=0.02)
    assert status.state is State.DONE, status.reason
    record = read_record(jobs[0].folder)
    assert record.metrics['coco/bbox_mAP'] == 0
    assert record.notes == ['nothing detected']


def start_suite(tmp_path, task_config, env):
    code = f"""
import signal, sys
from pathlib import Path
# A shell starts its background jobs, CI's too, with SIGINT ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from msbreg_mm.checkpoints.reference import parse_checkpoints
from msbreg_mm.suite.plan import plan_jobs
from msbreg_mm.suite.runner import run_suite
from msbreg_mm.suite.tasks import load_task
from msbreg_mm.suite.trainer import Trainer
from suite_fixtures import FAKE
jobs = plan_jobs([load_task({str(task_config)!r})], parse_checkpoints(['random']),
                 [0, 1], {str(tmp_path / 'suite')!r})
run_suite(jobs, {str(tmp_path / 'suite')!r},
          Trainer(command=(sys.executable, str(FAKE))), poll=0.02)
"""
    return subprocess.Popen(
        [sys.executable, '-c', code], env=os.environ | env, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'it did not happen in time'
        time.sleep(0.02)


@pytest.mark.parametrize('whole_group', [True, False], ids=['terminal', 'process'])
def test_ctrl_c_ends_trainers_and_a_second_call_resumes(
    make_jobs, trainer, tmp_path, task_config, whole_group
):
    jobs = make_jobs(checkpoints=['random'])
    suite = start_suite(tmp_path, task_config, {'FAKE_MODE': 'hang'})
    wait_for((jobs[0].folder / 'epoch_2.pth').is_file)
    with pytest.raises(LockedError, match=r'suite.*in use by process \d+'):
        run_suite(jobs, tmp_path / 'suite', trainer)
    # A terminal sends SIGINT to the whole group, `kill -INT` to one process.
    (os.killpg if whole_group else os.kill)(suite.pid, signal.SIGINT)
    suite.wait(timeout=30)
    assert suite.returncode != 0
    wait_for(lambda: not is_locked(jobs[0].folder / LOCK))
    assert states(run_suite(jobs, tmp_path / 'suite', trainer, poll=0.02)) == [
        State.DONE, State.DONE,
    ]  # fmt: skip
    assert [call['resume'] for call in calls(jobs[0])] == [False, True]
    record = read_record(jobs[0].folder)
    assert len(record.scalars) == 2


def test_killed_suite_leaves_jobs_that_the_next_one_waits_for(
    make_jobs, trainer, tmp_path, task_config
):
    jobs = make_jobs(checkpoints=['random'])
    suite = start_suite(tmp_path, task_config, {'FAKE_SLEEP': '0.5'})
    wait_for((jobs[0].folder / 'epoch_1.pth').is_file)
    suite.kill()
    suite.wait(timeout=30)
    seen = []
    statuses = run_suite(
        jobs, tmp_path / 'suite', trainer, poll=0.02,
        watch=lambda statuses: seen.append(statuses[0].state),
    )  # fmt: skip
    assert State.ELSEWHERE in seen
    assert states(statuses) == [State.DONE, State.DONE]
    assert len(calls(jobs[0])) == 1


def test_lock_of_a_dead_process_is_taken_over(tmp_path):
    path = tmp_path / 'lock'
    code = f'from msbreg_mm.utils.locks import *; l=FileLock({str(path)!r}, "x");'
    subprocess.run([sys.executable, '-c', code + 'l.acquire()'], check=True)
    assert path.read_text().startswith('process')
    with FileLock(path, 'it'):
        assert is_locked(path)
    assert not is_locked(path)


def test_jobs_on_the_cpu_share_its_cores(monkeypatch):
    monkeypatch.setattr('os.cpu_count', lambda: 16)
    assert local_cluster(0).slots == ((),) * 4
    assert local_cluster(0).threads_per_job == 4
    assert local_cluster(0, jobs=1).threads_per_job == 16
    assert Cluster(slots=(('0',),)).threads_per_job is None
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    assert child_environment((), 4)['OMP_NUM_THREADS'] == '4'
    assert 'OMP_NUM_THREADS' not in child_environment(('0',), None)
    monkeypatch.setenv('OMP_NUM_THREADS', '7')
    assert child_environment((), 4)['OMP_NUM_THREADS'] == '7'


def test_local_cluster_without_gpu():
    assert local_cluster(0, jobs=3).slots == ((), (), ())


def test_unknown_cluster(make_jobs, tmp_path):
    with pytest.raises(ValueError, match="'local' or 'slurm', got 'cloud'"):
        run_suite(make_jobs(), tmp_path / 'suite', cluster=Cluster(kind='cloud'))


SBATCH = """#!/bin/sh
# Runs the script at once (submitit moves the file); submitit reads the number.
script=$(cat "$1")
echo 'Submitted batch job 12'
SLURM_JOB_ID=12 SLURM_NTASKS=1 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NODEID=0 \
SLURM_JOB_NUM_NODES=1 SLURM_JOB_NODELIST=here sh -c "$script" >/dev/null 2>&1 &
"""
SRUN = """#!/bin/sh
while [ "${1%python}" = "$1" ]; do shift; done
exec "$@"
"""
SACCT = """#!/bin/sh
echo 'JobID|State|NodeList'
echo '12|RUNNING|here'
"""


@pytest.mark.timeout(60)
def test_slurm_runs_the_same_jobs(make_jobs, trainer, tmp_path, monkeypatch):
    (tmp_path / 'bin').mkdir()
    for name, text in (('sbatch', SBATCH), ('srun', SRUN), ('sacct', SACCT)):
        path = tmp_path / 'bin' / name
        path.write_text(text)
        path.chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmp_path / "bin"}{os.pathsep}{os.environ["PATH"]}')
    jobs = make_jobs(seeds=(0,), checkpoints=['random'])
    cluster = Cluster('slurm', parameters={'partition': 'gpu', 'time': 5})
    (status,) = run_suite(jobs, tmp_path / 'suite', trainer, cluster, poll=0.05)
    assert status.state is State.DONE, status.reason
    script = tmp_path / 'suite' / '.submitit' / '12_submission.sh'
    assert '#SBATCH --partition=gpu' in script.read_text()


def test_slurm_where_there_is_none(make_jobs, tmp_path, monkeypatch):
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(ValueError, match='no Slurm here'):
        run_suite(make_jobs(), tmp_path / 'suite', cluster=Cluster(kind='slurm'))


def test_full_disk_is_a_failed_job(make_jobs, trainer, monkeypatch):
    def full(*_):
        raise OSError(28, 'No space left on device')

    (run,) = make_jobs(seeds=(0,), checkpoints=['random'])
    run.folder.mkdir(parents=True)
    monkeypatch.setattr('msbreg_mm.suite.job.write_record', full)
    outcome = JobRun(trainer, ())(run)
    assert not outcome.ok
    assert 'No space left on device' in outcome.reason
    assert not list(run.folder.glob('*.tmp'))


def test_jobs_of_a_background_suite_can_be_interrupted():
    ask = 'import signal; print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)'
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with _terminable():
            child = subprocess.run(
                [sys.executable, '-c', ask], capture_output=True, text=True, check=True
            )
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, previous)
    assert child.stdout == 'False\n'
