"""What files call a tensor: each kind is loaded as plain numbers or refused by name."""

import pickle

import numpy as np
import pytest
import torch
from mmpretrain.models import ResNet, VisionTransformer

from msbreg_mm.checkpoints import CheckpointError, load_backbone, read_checkpoint

KEY = 'layer1.0.conv1.weight'
BIAS = 'layer1.0.bn1.bias'


@pytest.fixture
def model():
    return ResNet(18, stem_channels=8, base_channels=8)


@pytest.fixture
def state(resnet_state):
    return resnet_state(18, fc=False)


CONVERTED = {
    'coo': lambda v: v.to_sparse(),
    'channels last': lambda v: v.to(memory_format=torch.channels_last),
    'part of a larger storage': lambda v: torch.stack([v, v + 1])[0],
    'expanded within reason': lambda v: torch.ones(()).expand(v.shape),
    'parameter': lambda v: torch.nn.Parameter(v),
    'double': lambda v: v.double(),
    'half': lambda v: v.half(),
    'bfloat16': lambda v: v.bfloat16(),
    'float8_e4m3fn': lambda v: v.to(torch.float8_e4m3fn),
    'float8_e5m2': lambda v: v.to(torch.float8_e5m2),
    'quantised': lambda v: torch.quantize_per_tensor(v, 0.01, 0, torch.qint8),
}
REFUSED = {
    'integer': (lambda v: v.long(), r'whole numbers \(torch.int64\)'),
    'byte': (lambda v: v.byte(), r'whole numbers \(torch.uint8\)'),
    'bool': (lambda v: v > 0, r'whole numbers \(torch.bool\)'),
    'complex': (lambda v: v.to(torch.complex64), 'complex'),
    'meta': (lambda v: v.to('meta'), 'without values'),
    'scalar': (lambda v: v.flatten()[0].clone(), r'shape \(\)'),
    'empty': (lambda v: v[:0].clone(), r'shape \(0,'),
    'huge by stride 0': (lambda v: v.new_ones(1).expand(10**12), 'claims 4,0.* bytes'),
    'huge sparse': (
        lambda v: torch.sparse_coo_tensor([[0], [0]], [1.0], (10**6, 10**6)),
        'claims',
    ),
    'NaN': (lambda v: v * float('nan'), 'NaN or infinite'),
    'quantised to nothing': (
        lambda v: torch.quantize_per_tensor(v, float('inf'), 0, torch.qint8),
        'NaN or infinite',
    ),
}


@pytest.mark.parametrize('kind', CONVERTED)
def test_harmless_kinds_are_converted(kind, model, state, tmp_path):
    state[KEY] = CONVERTED[kind](state[KEY])
    torch.save(state, tmp_path / 'x')
    report = load_backbone(model, tmp_path / 'x')
    assert report.complete
    expected = state[KEY].detach()
    expected = expected.dequantize() if expected.is_quantized else expected
    expected = expected.to_dense() if expected.is_sparse else expected
    assert torch.equal(model.state_dict()[KEY], expected.float())
    told = kind.startswith(('float8', 'quantised'))
    assert any('converted to float32' in note for note in report.notes) == told


@pytest.mark.parametrize('kind', REFUSED)
def test_other_kinds_are_refused_by_name(kind, model, state, tmp_path):
    make, message = REFUSED[kind]
    state[KEY] = make(state[KEY])
    torch.save(state, tmp_path / 'x')
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=message) as e:
        load_backbone(model, tmp_path / 'x')
    assert KEY in str(e.value)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_negative_variance(model, state, tmp_path):
    state['layer2.0.bn1.running_var'][3] = -1e-3
    torch.save(state, tmp_path / 'x')
    with pytest.raises(CheckpointError, match=r'negative: layer2\.0\.bn1\.running_var'):
        load_backbone(model, tmp_path / 'x')


@pytest.mark.parametrize('shape', [(8,), (0, 8, 3, 3), (), (8, 0)])
def test_shapes_that_no_network_has(shape, state, tmp_path):
    for key in ('layer1.0.conv1.weight', 'layer1.0.conv2.weight', 'conv1.weight'):
        strange = dict(state)
        strange[key] = torch.ones(shape)
        torch.save(strange, tmp_path / 'x')
        with pytest.raises(CheckpointError, match=r'x: |x does not fit'):
            load_backbone(ResNet(18, stem_channels=8, base_channels=8), tmp_path / 'x')


@pytest.mark.parametrize('shape', [(1, 0, 48), (2, 5, 48), (1, 1, 48), (5, 48), ()])
def test_position_embeddings_of_strange_shapes(shape, vit_state, tmp_path):
    arch = {'embed_dims': 48, 'num_layers': 12, 'num_heads': 4}
    model = VisionTransformer(arch | {'feedforward_channels': 192}, img_size=32)
    torch.save(vit_state() | {'pos_embed': torch.ones(shape)}, tmp_path / 'x')
    with pytest.raises(CheckpointError, match='pos_embed'):
        load_backbone(model, tmp_path / 'x')


def test_a_dict_inside_itself(model, state, tmp_path):
    content = {'state_dict': state, 'meta': {}}
    content['meta']['all'] = content
    torch.save(content, tmp_path / 'x')
    assert load_backbone(model, tmp_path / 'x').complete


def test_dicts_without_end(state, tmp_path):
    """Forty dicts, each twice in the next: a million million entries."""
    content = {}
    for _ in range(40):
        content = {'a': content, 'b': content}
    torch.save(content | state, tmp_path / 'x')
    with pytest.raises(CheckpointError, match=r'x: its dicts are nested without end'):
        read_checkpoint(tmp_path / 'x')
    deep = b'\x80\x02' + b'}X\x01\0\0\0a' * 5000 + b'}' + b's' * 5000 + b'.'
    (tmp_path / 'y').write_bytes(deep)
    with pytest.raises(CheckpointError, match=r'y: its dicts are nested deeper'):
        read_checkpoint(tmp_path / 'y')


@pytest.mark.parametrize('order', ['>f4', '>f8', '<f2'])
def test_arrays_of_other_machines(order, model, state, tmp_path):
    arrays = {key: value.numpy() for key, value in state.items()}
    arrays[KEY] = arrays[KEY].astype(order)
    arrays[BIAS] = arrays[BIAS][::-1]
    (tmp_path / 'x').write_bytes(pickle.dumps({'model': arrays}))
    assert load_backbone(model, tmp_path / 'x').complete
    assert np.array_equal(model.state_dict()[BIAS], state[BIAS].numpy()[::-1])
    assert np.allclose(model.state_dict()[KEY], state[KEY], rtol=1e-3)


@pytest.mark.parametrize('kind', ['i4', 'c8', 'longdouble'])
def test_arrays_that_are_no_weights(kind, state, tmp_path):
    arrays = {key: value.numpy() for key, value in state.items()}
    arrays[KEY] = arrays[KEY].astype(kind)
    (tmp_path / 'x').write_bytes(pickle.dumps({'model': arrays}))
    with pytest.raises(CheckpointError, match=r'layer1\.0\.conv1\.weight is'):
        read_checkpoint(tmp_path / 'x')


def test_a_pickle_that_claims_memory(tmp_path):
    """Ten bytes that let Python's unpickler reserve 34 GB."""
    (tmp_path / 'x').write_bytes(b'\x80\x02Nr\xff\xff\xff\x7f.')
    with pytest.raises(CheckpointError, match='memo entry'):
        read_checkpoint(tmp_path / 'x')


def test_unknown_tensors_of_a_backbone_are_unexpected(model, state, tmp_path):
    for prefix in ('', 'backbone.', 'module.encoder_q.'):
        named = {prefix + key: value for key, value in state.items()}
        named[f'{prefix}attention.weight'] = torch.ones(3)
        named[f'{prefix}fc.weight'] = torch.ones(3)
        torch.save({'state_dict': named}, tmp_path / 'x')
        with pytest.raises(
            CheckpointError, match=r'unexpected \(1\): attention\.weight'
        ):
            load_backbone(model, tmp_path / 'x')
        report = load_backbone(model, tmp_path / 'x', allow_partial=True)
        assert report.unexpected == ['attention.weight']
        assert report.ignored == [f'{prefix}fc.weight']


NETWORKS = {
    'msbreg_mm': ('backbone.', 'target_backbone.'),
    'moco': ('module.encoder_q.', 'module.encoder_k.'),
    'moco_v3': ('module.base_encoder.', 'module.momentum_encoder.'),
    'byol': ('online_encoder.', 'target_encoder.'),
    'lightly': ('backbone.', 'backbone_momentum.'),
}


@pytest.mark.parametrize('lost', ['layer1.0.conv1.weight', 'most'])
@pytest.mark.parametrize('name', NETWORKS)
def test_an_incomplete_network_is_not_replaced(name, lost, model, state, tmp_path):
    online, target = NETWORKS[name]
    kept = {k: v for k, v in state.items() if k != lost}
    if lost == 'most':
        kept = {k: v for k, v in state.items() if k.startswith('layer4.1.')}
    named = {online + key: value for key, value in kept.items()}
    named |= {target + key: value + 1 for key, value in state.items()}
    torch.save({'state_dict': named}, tmp_path / 'x')
    with pytest.raises(CheckpointError, match=r'the online network .* lacks .*conv1'):
        load_backbone(model, tmp_path / 'x')
    report = load_backbone(model, tmp_path / 'x', source='target')
    assert report.source == 'target'


def test_the_only_network_is_taken_with_a_note(model, state, tmp_path):
    named = {f'target_backbone.{key}': value for key, value in state.items()}
    torch.save({'state_dict': named}, tmp_path / 'x')
    report = load_backbone(model, tmp_path / 'x')
    assert report.notes == [
        'the file has no online network, so the target network was taken'
    ]
