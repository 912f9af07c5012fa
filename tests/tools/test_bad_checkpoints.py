"""Bad checkpoints on the command line: one message, an exit code, nothing left."""

import os
import pickle
import runpy
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from msbreg_mm.checkpoints.reference import parse_checkpoints
from msbreg_mm.datasets.shapes import generate_shapes
from msbreg_mm.suite.plan import plan_jobs
from msbreg_mm.suite.runner import State, run_suite
from msbreg_mm.suite.tasks import load_task
from msbreg_mm.suite.trainer import Trainer
from msbreg_mm.utils.upstream import import_quietly

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / 'configs/demo/mask-rcnn_r18-w16-fpn_14e_shapes.py')


class Evil:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Bad checkpoints by name; ``mark`` appears if one of them runs its code."""
    folder = tmp_path_factory.mktemp('bad')
    models = import_quietly('mmpretrain.models', without='mmdet').backbones
    state = models.ResNet(18, base_channels=16, stem_channels=16).state_dict()

    def cut(name):
        path = folder / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    torch.save(state, folder / 'zip.pth')
    torch.save(state, folder / 'legacy.pth', _use_new_zipfile_serialization=False)
    save_file(state, folder / 'half.safetensors')
    for name in ('zip.pth', 'legacy.pth', 'half.safetensors'):
        cut(name)
    evil = Evil(folder / 'mark')
    torch.save({'state_dict': state, 'extra': evil}, folder / 'evil.pth')
    (folder / 'evil.pkl').write_bytes(pickle.dumps({'model': evil}))
    torch.save({'weight': torch.zeros(2)}, folder / 'unknown.pth')
    (folder / 'empty.pth').touch()
    (folder / 'page.pth').write_text('<html>Not found</html>')
    (folder / 'folder').mkdir()
    torch.save(models.ResNet(50).state_dict(), folder / 'r50.pth')
    vit = models.VisionTransformer('deit-tiny', img_size=32).state_dict()
    torch.save({f'backbone.{k}': v for k, v in vit.items()}, folder / 'vit.pth')
    state['layer2.0.conv1.weight'][0, 0, 0, 0] = float('nan')
    torch.save(state, folder / 'nan.pth')
    del state['layer2.0.conv1.weight']
    torch.save(state, folder / 'missing.pth')
    return folder


UNREADABLE = {
    'zip.pth': ['is truncated', 'fetch it again'],
    'legacy.pth': ['is truncated or damaged', 'fetch or write it again'],
    'half.safetensors': ['is truncated or damaged', 'fetch or write it again'],
    'evil.pth': ['asks for code', 'mkdir', '--trust'],
    'evil.pkl': ['asks for code', 'mkdir', '--trust'],
    'unknown.pth': ['no ResNet or ViT found', "['weight']", 'docs/checkpoints.md'],
    'empty.pth': ['is empty', 'fetch it again'],
    'page.pth': ['a web page', 'fetch the file itself'],
    'folder': ['a folder without model.safetensors', 'give a checkpoint file'],
}
UNFIT = {
    'nan.pth': ['layer2.0.conv1.weight', 'NaN', 'use an earlier checkpoint'],
    'missing.pth': ['missing (1): layer2.0.conv1.weight', '--allow-partial'],
}
OTHER_ARCHITECTURE = {
    'r50.pth': [
        'The checkpoint is resnet50 (torchvision)',
        "the model's backbone is resnet18-c16",
        'conv1.weight: (64, 3, 7, 7) → (16, 3, 7, 7)',
        'use a checkpoint of that architecture or another config',
    ],
    'vit.pth': [
        'The checkpoint is vit_tiny_patch16 (mmpretrain)',
        "the model's backbone is resnet18-c16",
    ],
}


def call(monkeypatch, tool, *arguments):
    """Run a tool in this process and return its exit code."""
    monkeypatch.setattr(sys, 'argv', [f'{tool}.py', *map(str, arguments)])
    with pytest.raises(SystemExit) as done:
        runpy.run_path(str(ROOT / 'tools' / f'{tool}.py'), run_name='__main__')
    return done.value.code


def check(captured, path, expected):
    message = captured.err[captured.err.index('error: ') :]
    for part in (str(path), *expected):
        assert part in message
    assert 'Traceback' not in captured.out + captured.err
    assert not (path.parent / 'mark').exists()


@pytest.mark.parametrize('name', UNREADABLE | UNFIT)
def test_convert(name, folder, tmp_path, monkeypatch, capsys):
    target = tmp_path / 'new' / 'out.pth'
    code = call(
        monkeypatch, 'convert_checkpoint', folder / name, target, '--to', 'timm'
    )
    assert code == 2
    check(capsys.readouterr(), folder / name, (UNREADABLE | UNFIT)[name])
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope='module')
def shapes(tmp_path_factory):
    return generate_shapes(
        tmp_path_factory.mktemp('data') / 'shapes',
        num_unlabelled=0, num_train=4, num_val=2, image_size=64, progress=False,
    ).root  # fmt: skip


def train(monkeypatch, shapes, path, work_dir):
    # Visualizers are kept by name for the whole process.
    options = [f'data_root={shapes}', f'visualizer.name={work_dir.parent.name}']
    arguments = ['--work-dir', work_dir, '--checkpoint', path, '--cfg-options']
    return call(monkeypatch, 'train', CONFIG, *arguments, *options)


@pytest.mark.parametrize('name', UNREADABLE)
def test_train_ends_before_anything_is_made(
    name, folder, shapes, tmp_path, monkeypatch, capsys
):
    assert train(monkeypatch, shapes, folder / name, tmp_path / 'work') == 2
    check(capsys.readouterr(), folder / name, UNREADABLE[name])
    assert not (tmp_path / 'work').exists()


@pytest.mark.parametrize('name', UNFIT | OTHER_ARCHITECTURE)
def test_train_ends_before_the_first_step(
    name, folder, shapes, tmp_path, monkeypatch, capsys
):
    assert train(monkeypatch, shapes, folder / name, tmp_path / 'work') == 2
    check(capsys.readouterr(), folder / name, (UNFIT | OTHER_ARCHITECTURE)[name])
    left = {path.suffix for path in (tmp_path / 'work').rglob('*') if path.is_file()}
    left.discard('.lock')
    assert left <= {'.py', '.log', '.json'}, 'no checkpoint, no result'
    assert not list((tmp_path / 'work').rglob('checkpoint_report.json'))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_suite_goes_on_without_the_bad_ones(folder, shapes, tmp_path):
    names = ['zip.pth', 'r50.pth']
    refs = parse_checkpoints(['random', *(str(folder / name) for name in names)])
    options = [f'data_root={shapes}', 'train_cfg.max_epochs=1']
    options += ['train_cfg.val_interval=1', 'param_scheduler.1.end=1']
    jobs = plan_jobs([load_task(CONFIG)], refs, [0], tmp_path / 'suite', options)
    trainer = Trainer(cfg_options=tuple(options))
    for status in run_suite(jobs, tmp_path / 'suite', trainer):
        name = Path(status.job.checkpoint.path).name
        if name == 'random':
            assert status.state is State.DONE, status.reason
            continue
        assert status.state is State.FAILED
        head = status.reason.splitlines()[0]
        assert head.startswith('the trainer ended with code 2: error: ')
        for part in (UNREADABLE | UNFIT | OTHER_ARCHITECTURE)[name]:
            assert part in status.reason
        assert (status.job.folder / 'failure.json').is_file()
        assert not (status.job.folder / 'result.json').exists()
    assert not (folder / 'mark').exists()
