"""A ResNet-50 goes through every format and computes the same in each project."""

import json
import pickle

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from msbreg_mm.checkpoints import convert_checkpoint, load_backbone
from msbreg_mm.utils.upstream import import_quietly

FORMATS = ['mm', 'timm', 'detectron2', 'safetensors', 'torchvision']


@pytest.fixture(scope='module')
def source():
    """torchvision's ResNet-50 whose batch statistics are not the initial ones."""
    torch.manual_seed(0)
    model = torchvision.models.resnet50(weights=None).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.uniform_(module.bias, -0.1, 0.1)
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model


def features(model, image):
    """Pooled features of a model of any of the projects."""
    model.eval()  # mmpretrain's returns nothing
    if hasattr(model, 'fc'):
        model.fc = nn.Identity()
    with torch.no_grad():
        out = model(image)
    out = out[-1] if isinstance(out, tuple) else out
    return out.mean((2, 3)) if out.ndim == 4 else out


def read(kind, path):
    """The project's own model, filled by the project's own loader."""
    timm = pytest.importorskip('timm')
    if kind == 'mm':
        models = import_quietly('mmpretrain.models', without='mmdet').backbones
        model = models.ResNet(50)
        assert load_backbone(model, path).complete
    elif kind == 'safetensors':
        model = timm.create_model(f'local-dir:{path}', pretrained=True)
    elif kind == 'detectron2':
        return Detectron2ResNet(pickle.loads(path.read_bytes())['model'])
    else:
        ours = kind == 'torchvision'
        create = torchvision.models.get_model if ours else timm.create_model
        model = create('resnet50')
        result = model.load_state_dict(torch.load(path), strict=False)
        assert (result.missing_keys, result.unexpected_keys) == (
            ['fc.weight', 'fc.bias'], [],
        )  # fmt: skip
    return model


class Detectron2ResNet(nn.Module):
    """A forward pass over detectron2's names, as its ResNet makes it.

    Source: Wu et al., 2019, detectron2/modeling/backbone/resnet.py, with
    ``STRIDE_IN_1X1: False`` and frozen statistics.
    """

    def __init__(self, arrays):
        super().__init__()
        self.arrays = {key: torch.from_numpy(value) for key, value in arrays.items()}

    def conv(self, x, name, stride=1):
        weight = self.arrays[f'{name}.weight']
        x = nn.functional.conv2d(x, weight, None, stride, weight.shape[-1] // 2)
        parts = ('running_mean', 'running_var', 'weight', 'bias')
        norm = [self.arrays[f'{name}.norm.{part}'] for part in parts]
        return nn.functional.batch_norm(x, *norm)

    def forward(self, x):
        x = self.conv(x, 'stem.conv1', 2).relu()
        x = nn.functional.max_pool2d(x, 3, 2, 1)
        for stage, blocks in ((2, 3), (3, 4), (4, 6), (5, 3)):
            for block in range(blocks):
                name = f'res{stage}.{block}'
                stride = 2 if stage > 2 and block == 0 else 1
                out = self.conv(x, f'{name}.conv1').relu()
                out = self.conv(out, f'{name}.conv2', stride).relu()
                out = self.conv(out, f'{name}.conv3')
                short = self.conv(x, f'{name}.shortcut', stride) if block == 0 else x
                x = (out + short).relu()
        return x


def test_through_every_format_and_back(source, tmp_path):
    """torchvision → mm → timm → detectron2 → safetensors → torchvision."""
    path = tmp_path / 'source.pth'
    torch.save(source.state_dict(), path)
    image = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    expected = features(torchvision_copy(source), image)
    assert expected.std() > 1e-3
    for kind in FORMATS:
        previous, path = path, tmp_path / kind
        assert convert_checkpoint(previous, path, kind).complete
        found = features(read(kind, path), image)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    original, final = source.state_dict(), torch.load(path)
    assert original.keys() - final.keys() == {'fc.weight', 'fc.bias'}
    assert all(torch.equal(final[key], original[key]) for key in final)


def torchvision_copy(source):
    model = torchvision.models.resnet50(weights=None)
    model.load_state_dict(source.state_dict())
    return model


@pytest.mark.parametrize('kind', ['transformers', 'timm'])
def test_hugging_face_folder(kind, source, tmp_path):
    """A folder of transformers' or timm's layout into a torchvision model."""
    folder = tmp_path / 'folder'
    folder.mkdir()
    state = source.state_dict()
    if kind == 'transformers':
        config = {'model_type': 'resnet', 'downsample_in_bottleneck': False}
        state = {transformers_name(key): v for key, v in state.items()}
    else:
        config = {'architecture': 'resnet50'}
    save_file(state, folder / 'model.safetensors')
    (folder / 'config.json').write_text(json.dumps(config))
    report = convert_checkpoint(folder, tmp_path / 'out', 'torchvision')
    assert report.complete
    assert report.format == ('huggingface' if kind == 'transformers' else 'timm')
    image = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    found = features(read('torchvision', tmp_path / 'out'), image)
    torch.testing.assert_close(found, features(torchvision_copy(source), image))


def transformers_name(key):
    """Name of a torchvision weight in transformers' ResNetForImageClassification."""
    parts = key.split('.')
    end = parts[-1]
    if parts[0] == 'fc':
        return f'classifier.1.{end}'
    kind = 'normalization' if 'bn' in key else 'convolution'
    if not parts[0].startswith('layer'):
        return f'resnet.embedder.embedder.{kind}.{end}'
    stage, block = int(parts[0][len('layer') :]) - 1, parts[1]
    prefix = f'resnet.encoder.stages.{stage}.layers.{block}'
    if parts[2] == 'downsample':
        kind = 'convolution' if parts[3] == '0' else 'normalization'
        return f'{prefix}.shortcut.{kind}.{end}'
    return f'{prefix}.layer.{int(parts[2][-1]) - 1}.{kind}.{end}'
