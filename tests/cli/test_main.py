"""The front door: commands, their help, and the one policy for errors."""

import io
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from msbreg_mm import __version__
from msbreg_mm.cli import main as door
from msbreg_mm.utils.errors import OptionError

ROOT = Path(__file__).parents[2]
TOOLS = {
    'train': 'train', 'test': 'test', 'transfer': 'transfer', 'report': 'report',
    'ablate': 'ablate', 'analyze_embeddings': 'analyze', 'draw_particles': 'draw',
    'convert_checkpoint': 'convert', 'prepare_data': 'data',
}  # fmt: skip


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, 'COLUMNS': '100', **environment},
        capture_output=True,
        text=True,
    )


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize('command', ['', *door.COMMANDS])
def test_help_costs_under_a_second(command):
    before = cpu_seconds()
    done = run('-m', 'msbreg_mm', *command.split(), '--help')
    assert cpu_seconds() - before < 1
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f'usage: msbreg {command}'.rstrip())
    assert '--debug' in done.stdout


def test_the_list_of_commands():
    shown = run('-m', 'msbreg_mm', '--help').stdout
    assert all(f'\n  {name} ' in shown for name in door.COMMANDS)
    modules = {file.stem for file in (ROOT / 'msbreg_mm' / 'cli').glob('*.py')}
    assert modules - {'__init__', 'main', 'arguments'} == set(door.COMMANDS)
    assert run('-m', 'msbreg_mm', '--version').stdout == f'{__version__}\n'
    unknown = run('-m', 'msbreg_mm', 'tranfser')
    assert (unknown.returncode, 'tranfser' in unknown.stderr) == (2, True)


@pytest.mark.parametrize('tool', TOOLS)
def test_tools_are_faces_of_the_commands(tool):
    done = run(f'tools/{tool}.py', '--help')
    assert done.stdout.startswith(f'usage: {tool}.py ')
    own = run('-m', 'msbreg_mm', TOOLS[tool], '--help').stdout
    # Names differ in length, and with them the lines of the usage.
    assert done.stdout.split('options:')[1] == own.split('options:')[1]


BAD = {
    'train': ['no.py'],
    'test': ['no.py', 'no.pth'],
    'transfer': ['random', '--tasks', 'no_such_task'],
    'report': ['nowhere'],
    'ablate': ['no.py'],
    'analyze': ['no.pth', '--config', 'x.py'],
    'draw': ['nowhere'],
    'convert': ['no.pth', 'new.pth', '--to', 'timm'],
    'data': ['check', 'nowhere'],
}


@pytest.mark.parametrize('command', BAD)
def test_bad_input_is_one_message_and_code_2(command, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as done:
        door.main([command, *BAD[command]])
    assert done.value.code == 2
    shown = capsys.readouterr()
    assert shown.err.startswith('error: no')
    assert 'Traceback' not in shown.out + shown.err
    assert not list(tmp_path.iterdir())


def test_debug_shows_both(capsys, monkeypatch):
    monkeypatch.delenv('MSBREG_DEBUG', raising=False)
    monkeypatch.setenv('MSBREG_DEBUG', '0')
    with pytest.raises(SystemExit) as done:
        door.main(['data', 'check', 'nowhere', '--debug'])
    assert done.value.code == 2
    shown = capsys.readouterr().err
    assert 'Traceback' in shown
    assert 'dataset.py' in shown
    assert shown.splitlines()[-1] == 'error: no folder nowhere'


@pytest.mark.parametrize('bug', [ValueError('x'), FileNotFoundError('x'), KeyError(1)])
def test_a_bug_is_not_taken_for_bad_input(bug, monkeypatch):
    def run(args):
        raise bug

    monkeypatch.setattr('msbreg_mm.cli.tasks.run', run)
    with pytest.raises(type(bug)):
        door.main(['tasks'])


def test_an_option_without_value_is_bad_input(capsys):
    config = str(ROOT / 'configs/demo/probe_r18-w16_cifar10.py')
    with pytest.raises(SystemExit) as done:
        door.main(['train', config, '--cfg-options', 'lr'])
    assert done.value.code == 2
    assert "error: --cfg-options takes key=value, got 'lr'" in capsys.readouterr().err


def test_a_console_that_is_not_utf8(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, 'stdout', io.TextIOWrapper(raw, 'latin-1'))

    def run(args):
        print('± → …')
        raise OptionError('seen')

    monkeypatch.setattr('msbreg_mm.cli.tasks.run', run)
    with pytest.raises(SystemExit):
        door.main(['tasks'])
    sys.stdout.flush()
    assert raw.getvalue().decode('latin-1') == '± -> ...\n'


def test_tasks(capsys):
    assert door.main(['tasks']) == 0
    text = capsys.readouterr().out
    assert 'configs/transfer/coco\n' in text
    assert '  mask-rcnn_r50-c4_1x_coco\n      COCO Mask R-CNN R50-C4 1x\n' in text
    assert '  faster-rcnn_r18-w16-fpn_12e_bccd\n' in text
