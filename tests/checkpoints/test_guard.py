"""mmengine opens no checkpoint that would run code, from wherever it is asked to."""

import io
import os
import pickle
import subprocess
import sys

import mmengine
import numpy as np
import pytest
import torch
from mmengine.model import BaseModule
from mmengine.registry import MODELS
from mmengine.runner import CheckpointLoader, Runner, load_checkpoint

import msbreg_mm.models  # noqa: F401
from msbreg_mm.checkpoints import CheckpointError, guard


class Evil:
    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


@pytest.fixture
def evil(tmp_path):
    """A checkpoint that makes the folder ``mark``."""
    content = {'state_dict': {}, 'x': Evil(tmp_path / 'mark')}
    torch.save(content, tmp_path / 'evil.pth')
    yield tmp_path / 'evil.pth'
    assert not (tmp_path / 'mark').exists(), 'the code ran'


@pytest.fixture
def cached_address(evil, monkeypatch):
    """An address whose file is in torch's cache; nothing is fetched."""
    monkeypatch.setenv('TORCH_HOME', str(evil.parent))
    monkeypatch.setattr(torch.hub, '_hub_dir', None)
    folder = evil.parent / 'hub' / 'checkpoints'
    folder.mkdir(parents=True)
    for name in ('r-0676ba61.pth', 'resnet50-0676ba61.pth', 'resnet50-11ad3fa6.pth'):
        (folder / name).write_bytes(evil.read_bytes())
    return 'https://download.example.org/r-0676ba61.pth'


def pretrained(path):
    return {'type': 'Pretrained', 'checkpoint': str(path)}


NETWORK = {'type': 'mmpretrain.ResNet', 'depth': 18, 'base_channels': 8}
NETWORK['stem_channels'] = 8


def build(config):
    model = MODELS.build(config)
    model.init_weights()


def teacher(init):
    head = {'type': 'mmpretrain.LinearClsHead', 'num_classes': 2, 'in_channels': 64}
    return {
        'type': 'mmpretrain.ImageClassifier',
        'backbone': NETWORK | {'init_cfg': init},
        'neck': {'type': 'mmpretrain.GlobalAveragePooling'},
        'head': head,
    }


PLACES = {
    'backbone': lambda path: build(NETWORK | {'init_cfg': pretrained(path)}),
    'with a prefix': lambda path: build(
        NETWORK | {'init_cfg': pretrained(path) | {'prefix': 'backbone.'}}
    ),
    'in a model': lambda path: build(teacher(pretrained(path))),
    'pretrained': lambda path: build(teacher(None) | {'pretrained': str(path)}),
    'load_checkpoint': lambda path: load_checkpoint(BaseModule(), str(path)),
    'loader': lambda path: CheckpointLoader.load_checkpoint(str(path)),
    'stream': lambda path: guard.load_safely(io.BytesIO(path.read_bytes())),
    'asked for': lambda path: guard.load_safely(path, weights_only=False),
}


@pytest.mark.parametrize('place', PLACES)
def test_code_is_refused_everywhere(place, evil):
    with pytest.raises(CheckpointError, match=r'asks for code: (posix|nt)\.mkdir'):
        PLACES[place](evil)


@pytest.mark.parametrize(
    'address', ['', 'torchvision://resnet50', 'torchvision://resnet50.imagenet1k_v2']
)
def test_code_behind_an_address_is_refused(address, cached_address):
    with pytest.raises(CheckpointError, match='asks for code'):
        build(NETWORK | {'init_cfg': pretrained(address or cached_address)})


def test_model_zoo_names(evil, monkeypatch):
    """open-mmlab:// may name a file in mmengine's own folder."""
    monkeypatch.setenv('MMENGINE_HOME', str(evil.parent))
    (evil.parent / 'open_mmlab.json').write_text('{"mine": "evil.pth"}')
    with pytest.raises(CheckpointError, match='asks for code'):
        build(NETWORK | {'init_cfg': pretrained('open-mmlab://mine')})


@pytest.mark.parametrize('how', ['load_from', 'resume'])
def test_runner(how, evil, tmp_path):
    runner = Runner(
        MODELS.build(teacher(None)),
        str(tmp_path / 'run'),
        load_from=str(evil),
        resume=how == 'resume',
        log_level='ERROR',
        experiment_name=f'guard-{how}',
    )
    with pytest.raises(CheckpointError, match='asks for code'):
        runner.load_or_resume()


def test_damage_is_found_in_init_cfg(tmp_path, resnet_state):
    path = tmp_path / 'x.pth'
    torch.save(resnet_state(18), path)
    build(NETWORK | {'init_cfg': pretrained(path)})
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 8
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match='CRC-32'):
        build(NETWORK | {'init_cfg': pretrained(path)})


def test_pickled_annotations_are_plain_data(tmp_path):
    boxes = {'a': [(1, 2.0, None, 'b')], 'c': np.ones((2, 4), np.float32)}
    mmengine.dump(boxes, tmp_path / 'x.pkl')
    found = mmengine.load(tmp_path / 'x.pkl')
    assert found['a'] == boxes['a']
    assert np.array_equal(found['c'], boxes['c'])
    (tmp_path / 'y.pkl').write_bytes(pickle.dumps(Evil(tmp_path / 'mark')))
    with pytest.raises(CheckpointError, match=r'a pickle .*asks for code .*mkdir'):
        mmengine.load(tmp_path / 'y.pkl')
    assert not (tmp_path / 'mark').exists()


def test_trust_is_for_the_user_to_give(tmp_path):
    torch.save({'x': Evil(tmp_path / 'mark')}, tmp_path / 'x')
    guard.trust_pickles(True)
    try:
        CheckpointLoader.load_checkpoint(str(tmp_path / 'x'))
    finally:
        guard.trust_pickles(False)
    assert (tmp_path / 'mark').exists()


def test_an_address_that_does_not_answer():
    with pytest.raises(CheckpointError, match='cannot be fetched'):
        guard.fetch_safely('http://127.0.0.1:9/x.pth', model_dir='/nonexistent/x')


def test_a_tool_of_upstream_that_imports_the_package(evil):
    """custom_imports=['msbreg_mm'] in a tool that knows nothing of this project."""
    code = (
        'from mmengine.runner import Runner, load_checkpoint\n'
        'from mmengine.model import BaseModule\n'
        'import msbreg_mm\n'
        f'load_checkpoint(BaseModule(), {str(evil)!r})\n'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert 'asks for code' in done.stderr
