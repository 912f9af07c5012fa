"""Tools end well on consoles that cannot show what they print."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torchvision

from msbreg_mm.runs.record import Identity, Record, write_record

ROOT = Path(__file__).parents[2]
TEXT = 'import msbreg_mm.utils.console as c; c.make_printable(); print({!r})'


def run(*command, **env):
    return subprocess.run(
        [sys.executable, *map(str, command)],
        capture_output=True,
        cwd=ROOT,
        env=dict(os.environ, PYTHONPATH=str(ROOT), **env),
    )


@pytest.mark.parametrize(
    ('encoding', 'expected'),
    [
        ('ascii', b'd 1 +/- 2 ... a \\u732b \\udc80'),
        ('latin-1', b'd 1 \xb1 2 ... \xe4 \\u732b \\udc80'),
        ('cp1252', b'd 1 \xb1 2 \x85 \xe4 \\u732b \\udc80'),
        ('utf-8', 'Δ 1 ± 2 … ä 猫 \\udc80'.encode()),
    ],
)
def test_what_an_encoding_lacks_is_plain(encoding, expected):
    done = run('-c', TEXT.format('Δ 1 ± 2 … ä 猫 \udc80'), PYTHONIOENCODING=encoding)
    assert done.stdout.strip() == expected, done.stderr


@pytest.fixture(scope='module')
def suite(tmp_path_factory):
    folder = tmp_path_factory.mktemp('suite')
    for name, sha in (('random', ''), ('Δ ä', 'a' * 64)):
        for seed in (0, 1):
            record = Record(
                't', 'p', name, Identity('c' * 64, sha, seed), {'m': 0.2 + seed / 9},
                [('m', 'AP', 100.0)], {'python': '3'}, 'cpu', 1.0,
                {'unit': 'epoch', 'total': 1, 'batch_size': 1}, {'matched': 5},
            )  # fmt: skip
            write_record(folder / 't' / name / f'seed{seed}', record)
    return folder


CONSOLES = {
    'ascii': {'PYTHONIOENCODING': 'ascii'},
    'C, not even UTF-8 for files': {
        'LC_ALL': 'C', 'PYTHONUTF8': '0', 'PYTHONCOERCECLOCALE': '0',
    },
}  # fmt: skip


@pytest.mark.parametrize('name', CONSOLES)
def test_report(name, suite):
    for file in ('report.html', 'table.md', 'table.tex', 'table.csv'):
        (suite / file).unlink(missing_ok=True)
    done = run('tools/report.py', suite, **CONSOLES[name])
    assert done.returncode == 0, done.stderr
    assert 'Δ ä' in (suite / 'table.md').read_text(encoding='utf-8')
    assert b'd AP' in done.stdout
    assert b'Traceback' not in done.stderr


def test_convert(tmp_path):
    model = torchvision.models.resnet18(num_classes=2)
    torch.save(model.state_dict(), tmp_path / 'ä.pth')
    target = tmp_path / 'out.pth'
    arguments = ('tools/convert_checkpoint.py', tmp_path / 'ä.pth', target)
    done = run(*arguments, '--to', 'mm', PYTHONIOENCODING='ascii')
    assert done.returncode == 0, done.stderr
    assert target.is_file()
    done = run('tools/convert_checkpoint.py', tmp_path / 'Δ', target, '--to', 'mm',
               PYTHONIOENCODING='ascii')  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith(b'error: ')


def test_nobody_reads_on():
    code = (
        'from msbreg_mm.utils.errors import short_input_errors\n'
        'with short_input_errors():\n'
        '    while True: print("x" * 1000)\n'
    )
    command = f"{sys.executable} -c '{code}' | head -c 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ['bash', '-c', command],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
    )
    assert (done.stdout, done.stderr) == ('x141\n', '')


def test_debug_shows_the_traceback():
    code = (
        'from msbreg_mm.utils.errors import *\n'
        'with short_input_errors(): raise OptionError("no such key")\n'
    )
    assert run('-c', code).stderr == b'error: no such key\n'
    shown = run('-c', code, MSBREG_DEBUG='1').stderr.decode()
    assert shown.startswith('Traceback')
    assert shown.endswith('error: no such key\n')
