"""What is written can be read by its project and holds the same numbers."""

import json
import pickle
import runpy
import sys
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors import safe_open
from torch import nn

from msbreg_mm.checkpoints import (
    CheckpointError,
    convert_checkpoint,
    load_backbone,
    read_checkpoint,
    save_checkpoint,
    verify_resumable,
)
from msbreg_mm.utils.upstream import import_quietly

TOOL = Path(__file__).parents[2] / 'tools' / 'convert_checkpoint.py'
FORMATS = ['mm', 'torchvision', 'timm', 'detectron2', 'safetensors']


@pytest.fixture
def resnet_file(resnet_state, tmp_path):
    torch.save(resnet_state(50), tmp_path / 'r50.pth')
    return tmp_path / 'r50.pth'


@pytest.fixture
def vit_file(vit_state, tmp_path):
    # block scales, as DINOv2 has them
    torch.save(vit_state(scale=True), tmp_path / 'vit.pth')
    return tmp_path / 'vit.pth'


@pytest.mark.parametrize('kind', ['resnet', 'vit'])
@pytest.mark.parametrize('form', FORMATS)
def test_round_trip(kind, form, request, tmp_path):
    source = request.getfixturevalue(f'{kind}_file')
    if (kind, form) in [('vit', 'detectron2'), ('vit', 'torchvision')]:
        match = (
            'cannot write vit_48x12' if form == 'detectron2' else 'no names for .*gam'
        )
        with pytest.raises(CheckpointError, match=match):
            convert_checkpoint(source, tmp_path / 'out', form)
        assert list(tmp_path.iterdir()) == [source]
        return
    report = convert_checkpoint(source, tmp_path / 'out', form)
    assert report.complete
    first, second = read_checkpoint(source), read_checkpoint(tmp_path / 'out')
    assert report.matched == list(first.state_dict)
    assert first.state_dict.keys() == second.state_dict.keys()
    assert all(
        torch.equal(v, second.state_dict[k]) for k, v in first.state_dict.items()
    )
    assert (second.arch, second.ignored) == (first.arch, [])
    assert {path.name for path in tmp_path.iterdir()} == {source.name, 'out'}


def test_torchvision_vit_round_trip(vit_state, tmp_path):
    torch.save(vit_state(), tmp_path / 'a')
    convert_checkpoint(tmp_path / 'a', tmp_path / 'b', 'torchvision')
    keys = torch.load(tmp_path / 'b').keys()
    assert 'encoder.layers.encoder_layer_11.self_attention.in_proj_weight' in keys
    assert read_checkpoint(tmp_path / 'b').format == 'torchvision'


@pytest.mark.parametrize('source', ['online', 'target'])
def test_our_checkpoint_to_torchvision(source, resnet_state, tmp_path):
    online, target = (resnet_state(18, seed, fc=False) for seed in (0, 1))
    state = {f'backbone.{k}': v for k, v in online.items()}
    state |= {f'target_backbone.{k}': v for k, v in target.items()}
    state['head.predictor.weight'] = torch.zeros(2)
    torch.save({'state_dict': state}, tmp_path / 'epoch_1.pth')
    report = convert_checkpoint(
        tmp_path / 'epoch_1.pth', tmp_path / 'out.pth', 'torchvision', source=source
    )
    assert (report.format, report.source) == ('msbreg_mm', source)
    expected = online if source == 'online' else target
    written = torch.load(tmp_path / 'out.pth')
    assert written.keys() == expected.keys()
    assert all(torch.equal(written[key], expected[key]) for key in expected)


def test_mm_file_is_what_init_cfg_loads(resnet_file, tmp_path):
    """mmengine's own loader, as mmdet's ``init_cfg`` calls it."""
    from mmengine.runner.checkpoint import _load_checkpoint_with_prefix

    save_checkpoint(read_checkpoint(resnet_file), tmp_path / 'mm.pth')
    verify_resumable(tmp_path / 'mm.pth')
    state = _load_checkpoint_with_prefix('backbone.', str(tmp_path / 'mm.pth'))
    expected = {k: v for k, v in torch.load(resnet_file).items() if k[:3] != 'fc.'}
    assert state.keys() == expected.keys()
    ckpt = read_checkpoint(tmp_path / 'mm.pth')
    assert ckpt.style == 'pytorch', 'known from torchvision, kept in the file'


def test_detectron2_keys(resnet_file, tmp_path):
    save_checkpoint(read_checkpoint(resnet_file), tmp_path / 'x.pkl', 'detectron2')
    content = pickle.loads((tmp_path / 'x.pkl').read_bytes())
    assert content['matching_heuristics'] is True
    for key in (
        'stem.conv1.weight',
        'stem.conv1.norm.running_var',
        'res2.0.shortcut.norm.bias',
        'res5.2.conv3.weight',
        'res5.2.conv3.norm.weight',
    ):
        assert type(content['model'][key]).__name__ == 'ndarray'
    assert len(content['model']) == 318


@pytest.mark.parametrize('name', ['resnet50', 'vit_small_patch16_224'])
def test_timm_reads_our_folder_and_agrees(name, tmp_path):
    """timm → mm (forward agrees) → safetensors → timm (weights agree)."""
    timm = pytest.importorskip('timm')
    torch.manual_seed(0)
    kwargs = {'img_size': 32} if name.startswith('vit') else {}
    source = timm.create_model(name, num_classes=0, **kwargs).eval()
    torch.save(source.state_dict(), tmp_path / 'timm.pth')
    models = import_quietly('mmpretrain.models', without='mmdet').backbones
    if name.startswith('vit'):
        model = models.VisionTransformer('deit-small', img_size=32)
    else:
        model = models.ResNet(50)
    model.eval()  # mmpretrain's returns nothing
    load_backbone(model, tmp_path / 'timm.pth')
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        ours, theirs = model(x)[0], source(x)
        ours = ours.mean((2, 3)) if ours.ndim == 4 else ours
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)

    torch.save({'state_dict': model.state_dict()}, tmp_path / 'mm.pth')
    convert_checkpoint(tmp_path / 'mm.pth', tmp_path / 'hub', 'safetensors')
    again = timm.create_model(f'local-dir:{tmp_path / "hub"}', pretrained=True).eval()
    with torch.no_grad():
        torch.testing.assert_close(again(x), theirs, rtol=1e-4, atol=1e-5)


def test_torchvision_model_loads_what_we_write(resnet_state, tmp_path):
    torch.manual_seed(0)
    models = import_quietly('mmpretrain.models', without='mmdet').backbones
    model = models.ResNet(18)
    model.eval()
    state = {f'backbone.{k}': v for k, v in model.state_dict().items()}
    torch.save({'state_dict': state}, tmp_path / 'mm.pth')
    convert_checkpoint(tmp_path / 'mm.pth', tmp_path / 'tv.pth', 'torchvision')
    theirs = torchvision.models.resnet18(weights=None).eval()
    theirs.fc = nn.Identity()
    theirs.load_state_dict(torch.load(tmp_path / 'tv.pth'))
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        ours = model(x)[0].mean((2, 3))
        torch.testing.assert_close(theirs(x), ours, rtol=1e-5, atol=1e-5)


def test_bfloat16_goes_everywhere(resnet_state, tmp_path):
    half = {k: v.bfloat16() for k, v in resnet_state(18, fc=False).items()}
    torch.save(half, tmp_path / 'x')
    for form in FORMATS:
        assert convert_checkpoint(tmp_path / 'x', tmp_path / form, form).complete


def test_model_card(resnet_file, tmp_path):
    ckpt = read_checkpoint(resnet_file)
    save_checkpoint(ckpt, tmp_path / 'out', 'safetensors')
    names = {path.name for path in (tmp_path / 'out').iterdir()}
    assert names == {'README.md', 'config.json', 'model.safetensors'}
    text = (tmp_path / 'out' / 'README.md').read_text()
    assert text.startswith('---\n')
    assert 'resnet50-c8' in text
    assert ckpt.sha256 in text
    assert (
        json.loads((tmp_path / 'out' / 'config.json').read_text())['num_classes'] == 0
    )
    with safe_open(tmp_path / 'out' / 'model.safetensors', 'pt') as file:
        assert file.metadata()['source_sha256'] == ckpt.sha256
    with pytest.raises(CheckpointError, match='out exists already'):
        save_checkpoint(ckpt, tmp_path / 'out', 'safetensors')


def test_caffe_style_only_goes_where_it_can(resnet_state, tmp_path):
    state = {f'backbone.{k}': v for k, v in resnet_state(50, fc=False).items()}
    meta = {'cfg': "style='caffe'"}
    torch.save({'meta': meta, 'state_dict': state}, tmp_path / 'a')
    with pytest.raises(CheckpointError, match="of style 'caffe'"):
        convert_checkpoint(tmp_path / 'a', tmp_path / 'b', 'timm')
    convert_checkpoint(tmp_path / 'a', tmp_path / 'b', 'mm')
    assert read_checkpoint(tmp_path / 'b').style == 'caffe'


def test_incomplete_backbone(resnet_state, tmp_path):
    state = resnet_state(18)
    del state['layer3.1.bn2.bias']
    torch.save(state, tmp_path / 'a')
    with pytest.raises(CheckpointError, match=r'missing \(1\): layer3\.1\.bn2\.bias'):
        convert_checkpoint(tmp_path / 'a', tmp_path / 'b')
    assert not (tmp_path / 'b').exists()
    report = convert_checkpoint(tmp_path / 'a', tmp_path / 'b', allow_partial=True)
    assert report.partial


@pytest.mark.parametrize('form', FORMATS)
def test_nothing_half_written(form, resnet_file, tmp_path, monkeypatch):
    """A full disk in the middle leaves the old file and no other."""
    ckpt = read_checkpoint(resnet_file)
    target = tmp_path / 'new' / 'out'
    target.parent.mkdir()
    if form != 'safetensors':
        target.write_text('old')

    def fail(*args, **kwargs):
        Path(args[1] if form != 'detectron2' else args[1].name).write_bytes(b'half')
        raise OSError(28, 'No space left on device')

    module = 'msbreg_mm.checkpoints.writing'
    name = {'detectron2': 'pickle.dump', 'safetensors': 'save_file'}
    monkeypatch.setattr(f'{module}.{name.get(form, "torch.save")}', fail)
    with pytest.raises(CheckpointError, match='No space left'):
        save_checkpoint(ckpt, target, form)
    left = list(target.parent.iterdir())
    assert left == ([] if form == 'safetensors' else [target])
    assert not left or target.read_text() == 'old'


def test_replaces_its_own_source(resnet_file):
    """Weights are memory-mapped from the file that is replaced."""
    before = read_checkpoint(resnet_file)
    convert_checkpoint(resnet_file, resnet_file, 'mm')
    after = read_checkpoint(resnet_file)
    assert after.format == 'mmpretrain'
    key = 'layer4.2.conv3.weight'
    assert torch.equal(before.state_dict[key], after.state_dict[key])


def run_tool(monkeypatch, *args):
    monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, args)])
    with pytest.raises(SystemExit) as done:
        runpy.run_path(str(TOOL), run_name='__main__')
    return done.value.code


def test_tool(resnet_file, tmp_path, monkeypatch, capsys):
    args = [resnet_file, tmp_path / 'out.pkl', '--to', 'detectron2']
    assert run_tool(monkeypatch, *args) == 0
    out = capsys.readouterr().out
    assert 'resnet50-c8' in out
    assert '318' in out
    assert read_checkpoint(tmp_path / 'out.pkl').format == 'detectron2'
    assert run_tool(monkeypatch, tmp_path / 'gone', tmp_path / 'x', '--to', 'mm') == 2
    assert 'gone: no such file' in capsys.readouterr().err
