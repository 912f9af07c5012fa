"""A file never runs code, and damaged ones say so."""

import hashlib
import io
import os
import pathlib
import pickle
import sys
import types
import zipfile
from argparse import Namespace

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

from msbreg_mm.checkpoints import (
    CheckpointError,
    read_checkpoint,
    sha256,
    verify_resumable,
)


class Evil:
    """Makes a folder when unpickled."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


def text(value):
    return b'X' + len(value).to_bytes(4, 'little') + value.encode()


def exploit(mark):
    """A pickle of nothing but mmengine's 'safe' globals that calls ``exec``.

    ``getattr(getattr(getattr, '__self__'), 'exec')`` becomes the ``__setstate__`` of a
    HistoryBuffer, which the next BUILD calls.
    """
    get = b'cbuiltins\ngetattr\n'
    module = get + get + text('__self__') + b'\x86R'
    execute = get + module + text('exec') + b'\x86R'
    history = b'cmmengine.logging.history_buffer\nHistoryBuffer\n)\x81'
    state = b'}' + text('__setstate__') + execute + b's'
    code = text(f'import os; os.mkdir({str(mark)!r})')
    return b'\x80\x02' + history + state + b'b' + code + b'b.'


def with_pickle(path, data):
    """A torch file whose pickle is replaced."""
    buffer = io.BytesIO()
    torch.save({}, buffer)
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(path, 'w') as new:
        for name in old.namelist():
            new.writestr(name, data if name.endswith('data.pkl') else old.read(name))


def write_evil(kind, path, mark):
    if kind == 'plain':
        path.write_bytes(pickle.dumps({'model': Evil(mark)}))
    elif kind == 'getattr':
        with_pickle(path, exploit(mark))
    else:
        content = {'state_dict': {'x': torch.zeros(1)}, 'extra': Evil(mark)}
        torch.save(content, path, _use_new_zipfile_serialization=kind == 'zip')


@pytest.mark.filterwarnings('ignore:Detected pickle protocol')
@pytest.mark.parametrize('kind', ['zip', 'legacy', 'plain', 'getattr'])
@pytest.mark.parametrize('read', [read_checkpoint, verify_resumable])
def test_code_is_refused_and_not_run(kind, read, tmp_path):
    mark, path = tmp_path / 'mark', tmp_path / 'x.pth'
    write_evil(kind, path, mark)
    wanted = r'builtins\.getattr' if kind == 'getattr' else r'posix\.mkdir|nt\.mkdir'
    if kind == 'plain' and read is verify_resumable:
        wanted = ''  # torch.load does not take plain pickles at all
    with pytest.raises(CheckpointError, match=rf'x\.pth .*({wanted})'):
        read(path)
    assert not mark.exists()


def test_the_exploit_is_real(tmp_path):
    """It works against mmengine's list, or the test above shows nothing."""
    from mmengine.runner.checkpoint import get_torch_safe_globals

    mark = tmp_path / 'mark'
    with_pickle(tmp_path / 'x', exploit(mark))
    with torch.serialization.safe_globals(get_torch_safe_globals()):
        torch.load(tmp_path / 'x', weights_only=True)
    assert mark.exists()


def test_trust_runs_code(tmp_path, resnet_state):
    mark = tmp_path / 'mark'
    content = {'state_dict': resnet_state(18), 'extra': Evil(mark)}
    torch.save(content, tmp_path / 'x')
    assert read_checkpoint(tmp_path / 'x', trust=True).arch == 'resnet18-c8'
    assert mark.exists()


def test_a_missing_package_is_named(tmp_path):
    with_pickle(tmp_path / 'x', b'\x80\x02cno_such_package\nThing\n.')
    with pytest.raises(CheckpointError, match=r'asks for code: no_such_package\.Thing'):
        read_checkpoint(tmp_path / 'x')
    with pytest.raises(CheckpointError, match=r"package .* 'no_such_package'"):
        read_checkpoint(tmp_path / 'x', trust=True)


@pytest.mark.parametrize('read', [read_checkpoint, verify_resumable])
@pytest.mark.parametrize('legacy', [False, True])
@pytest.mark.parametrize('share', [0.0, 0.3, 0.9, 0.999])
def test_truncated(read, legacy, share, tmp_path, resnet_state):
    path = tmp_path / 'x.pth'
    content = {'state_dict': resnet_state(18)}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CheckpointError, match=r'x\.pth .*truncated'):
        read(path)


def test_truncated_safetensors_and_pickle(tmp_path, resnet_state):
    from safetensors.torch import save_file

    state = resnet_state(18)
    save_file(state, tmp_path / 'a')
    arrays = {key: value.numpy() for key, value in state.items()}
    (tmp_path / 'b').write_bytes(pickle.dumps({'model': arrays}))
    for name in 'ab':
        path = tmp_path / name
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])
        with pytest.raises(CheckpointError, match='truncated'):
            read_checkpoint(path)


def test_text_file(tmp_path):
    path = tmp_path / 'page.pth'
    path.write_text('<html>Not found</html>')
    for read in (read_checkpoint, verify_resumable):
        with pytest.raises(CheckpointError, match=r'page\.pth is not a .*a web page'):
            read(path)


def test_sha256(tmp_path):
    path = tmp_path / 'x'
    path.write_bytes(b'abc' * 1000)
    assert sha256(path) == hashlib.sha256(b'abc' * 1000).hexdigest()


class Toy(BaseModel):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 1)

    def forward(self, inputs, mode='loss'):
        return {'loss': self.linear(torch.stack(inputs)).mean()}


@pytest.fixture(scope='module')
def runner_file(tmp_path_factory):
    """What a real Runner wrote: message hub, optimizer, schedulers and all."""
    folder = tmp_path_factory.mktemp('run')
    runner = Runner(
        Toy(),
        str(folder),
        train_dataloader={
            'dataset': [{'inputs': torch.ones(2)}] * 4,
            'batch_size': 2,
            'sampler': {'type': 'DefaultSampler', 'shuffle': True},
        },
        optim_wrapper={'optimizer': {'type': 'AdamW', 'lr': 0.1}},
        param_scheduler={'type': 'LinearLR'},
        train_cfg={'by_epoch': True, 'max_epochs': 2},
        default_hooks={'checkpoint': {'type': 'CheckpointHook', 'interval': 1}},
        log_level='ERROR',
        experiment_name='checkpoints-test',
    )
    runner.train()
    return folder / 'epoch_2.pth'


def test_real_runner_file_is_resumable(runner_file):
    verify_resumable(runner_file)
    unsafe = torch.serialization.get_unsafe_globals_in_checkpoint(runner_file)
    assert any('HistoryBuffer' in name for name in unsafe), 'or this tests nothing'
    # mmengine opens it in the same way, without its fallback
    from mmengine.runner.checkpoint import get_torch_safe_globals

    with torch.serialization.safe_globals(get_torch_safe_globals()):
        torch.load(runner_file, weights_only=True)


def test_real_runner_file_is_readable(runner_file):
    with pytest.raises(CheckpointError, match='no ResNet or ViT found among 2 tensors'):
        read_checkpoint(runner_file)


def test_what_no_runner_wrote(tmp_path):
    torch.save({'model': {}}, tmp_path / 'x')
    with pytest.raises(CheckpointError, match='no state_dict'):
        verify_resumable(tmp_path / 'x')
    with pytest.raises(CheckpointError, match='no such file'):
        verify_resumable(tmp_path / 'y')


def foreign(module, name, **attributes):
    """An object of a package that is not installed where it is read."""
    kind = type(name, (), {'__module__': module, '__qualname__': name})
    thing = kind()
    vars(thing).update(attributes)
    return kind, thing


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('zipped', [True, False])
def test_settings_beside_the_weights_are_no_code(
    zipped, tmp_path, resnet_state, monkeypatch
):
    """fastai#1482 and recogdrive#60: paths of another system, OmegaConf's settings."""

    class Path:
        def __init__(self, kind):
            self.kind = kind

        def __reduce__(self):
            return getattr(pathlib, self.kind), ('C:', 'runs', 'x')

    config = types.ModuleType('omegaconf.dictconfig')
    monkeypatch.setitem(sys.modules, 'omegaconf', types.ModuleType('omegaconf'))
    monkeypatch.setitem(sys.modules, 'omegaconf.dictconfig', config)
    config.DictConfig, settings = foreign(
        'omegaconf.dictconfig', 'DictConfig', _content={'lr': 1.0, 'type': int}
    )
    content = {
        'state_dict': resnet_state(18),
        'args': Namespace(out=Path('WindowsPath'), data=Path('PurePosixPath')),
        'hyper_parameters': {'optimizer': settings},
    }
    path = tmp_path / 'x.pth'
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    monkeypatch.undo()
    assert read_checkpoint(path).arch == 'resnet18-c8'


def test_a_stand_in_keeps_and_calls_nothing(tmp_path):
    """A file cannot reach anything through what stands for its settings."""
    mark = tmp_path / 'mark'
    inert = b'comegaconf.dictconfig\nDictConfig\n'
    state = b'}' + text('__reduce__') + b'cos\nmkdir\n' + b's'
    for attack in (
        b'cos\nmkdir\n' + text(str(mark)) + b'\x85R',  # a real call beside it
        inert + b')\x81' + state + b'b',
        inert + text(str(mark)) + b'\x85R' + text(str(mark)) + b'\x85R',  # call it
    ):
        with_pickle(tmp_path / 'x', b'\x80\x02' + attack + b'.')
        with pytest.raises(CheckpointError):
            read_checkpoint(tmp_path / 'x')
        assert not mark.exists()
