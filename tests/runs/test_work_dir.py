"""One training per work directory, and room for what it writes."""

import os
import subprocess
import sys
import time

import pytest

from msbreg_mm.runs.work_dir import (
    WorkDirError,
    check_space,
    claim_work_dir,
    is_first_process,
    release_work_dir,
)

CLAIM = 'import sys; from msbreg_mm.runs.work_dir import *; claim_work_dir(sys.argv[1])'


def claimed_elsewhere(path):
    """Try in another process; return its error."""
    done = subprocess.run(
        [sys.executable, '-c', CLAIM, str(path)], capture_output=True, text=True
    )
    return done.stderr.strip().splitlines()[-1] if done.returncode else ''


def test_other_trainings_are_kept_out_until_the_end(tmp_path):
    folder = tmp_path / 'new' / 'run'
    claim_work_dir(folder)
    claim_work_dir(folder)  # the holder may come again
    error = claimed_elsewhere(folder)
    assert f'in use by process {os.getpid()}' in error
    assert str(folder) in error
    release_work_dir(folder)
    release_work_dir(folder)
    assert claimed_elsewhere(folder) == ''


def test_holder_is_named_within_a_process_too(tmp_path):
    held = subprocess.Popen(
        [sys.executable, '-c', f'{CLAIM}; print(1, flush=True); input()', tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    held.stdout.read(1)
    with pytest.raises(WorkDirError, match=f'in use by process {held.pid} on'):
        claim_work_dir(tmp_path)
    held.communicate(b'\n')
    claim_work_dir(tmp_path)
    release_work_dir(tmp_path)


def test_workers_do_not_hold_it(tmp_path):
    claim_work_dir(tmp_path)
    if (child := os.fork()) == 0:
        time.sleep(60)
        os._exit(0)
    try:
        release_work_dir(tmp_path)
        assert claimed_elsewhere(tmp_path) == ''
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(WorkDirError, match=r'cannot write to work_dir .*file/run'):
        claim_work_dir(tmp_path / 'file' / 'run')


def test_space_for_checkpoints(tmp_path):
    check_space(tmp_path, 1000, 3)
    with pytest.raises(WorkDirError, match=r'3 checkpoints of .* MiB will be there at'):
        check_space(tmp_path, 2**60, 3)


def test_first_process():
    assert is_first_process('none', {'RANK': '3'})
    assert is_first_process('pytorch', {'RANK': '0'})
    assert not is_first_process('pytorch', {'RANK': '1'})
    assert not is_first_process('slurm', {'SLURM_PROCID': '1', 'RANK': '0'})
