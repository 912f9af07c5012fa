"""The command line: exit codes, messages and files of each subcommand."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / 'tools' / 'prepare_data.py'


def run(*arguments):
    return subprocess.run(
        [sys.executable, str(TOOL), *map(str, arguments)],
        env={**os.environ, 'COLUMNS': '160'},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp('cli') / 'shapes'
    done = run(
        'shapes',
        root,
        '--num-unlabelled',
        1,
        '--num-train',
        3,
        '--num-val',
        2,
        '--image-size',
        48,
    )
    assert done.returncode == 0, done.stderr
    assert 'shapes is made: 1 unlabelled, 3 train' in done.stdout
    return root


def test_shapes_with_other_parameters(root):
    done = run('shapes', root, '--num-train', 4)
    assert done.returncode == 2
    assert 'num_train: 3 there, 4 asked' in done.stderr
    assert '--force' in done.stderr
    assert 'Traceback' not in done.stderr


def test_check_exit_codes(root, tmp_path):
    good = run('check', root)
    assert (good.returncode, 'train.json' in good.stdout) == (0, True)
    bad = run('check', tmp_path)
    assert bad.returncode == 1
    assert 'no-images' in bad.stdout
    absent = run('check', tmp_path / 'nowhere')
    assert absent.returncode == 2
    assert 'nowhere' in absent.stderr


def test_convert_and_subset(root, tmp_path):
    done = run('voc-instances', root, 'train', tmp_path / 'all.json')
    assert done.returncode == 0, done.stderr
    assert len(json.loads((tmp_path / 'all.json').read_text())['images']) == 3
    done = run(
        'subset', tmp_path / 'all.json', tmp_path, '--percents', 40, '--num-folds', 2
    )
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in tmp_path.glob('all_40pct_*'))
    assert names == ['all_40pct_fold0.json', 'all_40pct_fold1.json']
