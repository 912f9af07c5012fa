"""The training experiments of tools/benchmarks run small, and go on where they were."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fake_class_data import write_packs

BENCHMARKS = Path(__file__).parents[2] / 'tools' / 'benchmarks'


def run(script, data, out, *flags):
    command = [sys.executable, BENCHMARKS / script, data, '--out', out, *flags]
    return subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=280
    )


@pytest.mark.slow
def test_cifar10_beside_lightly(tmp_path):
    pytest.importorskip('lightly')
    write_packs(tmp_path, 256)
    out = tmp_path / 'runs.jsonl'
    size = ['--seeds', '0', '--width', '0.125', '--images', '256', '--epochs']
    first = run('cifar10.py', tmp_path, out, *size, '2')
    assert first.returncode == 0, first.stderr
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    names = [row['variant'] for row in rows]
    assert names == [
        'random init', 'lightly byol', 'byol', 'msbreg, 2 views', 'msbreg, 4 views'
    ]  # fmt: skip
    assert len({row['rank'] for row in rows}) == 5
    assert all(0 <= row['knn'] <= 100 and row['epochs'] == 2 for row in rows)
    written = out.read_text()
    run('cifar10.py', tmp_path, out, *size, '2')
    assert out.read_text() == written  # nothing was missing
    # Another budget is another experiment.
    other = run('cifar10.py', tmp_path, out, *size, '3', '--variants', 'random init')
    assert out.read_text().count('\n') == 6
    assert 'byol' not in other.stdout


def test_a_variant_that_is_not_there(tmp_path):
    result = run('cifar10.py', tmp_path, tmp_path / 'x', '--variants', 'dino')
    assert result.returncode == 2
    assert "invalid choice: 'dino'" in result.stderr
    assert not (tmp_path / 'x').exists()
