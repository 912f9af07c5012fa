"""Losses, models, targets and mixed precision give on a device what they give on a CPU.

On a CPU each test compares the device with itself in float64 or by its formula, which
proves the code of the test; `make bench-gpu` runs them on CUDA.
"""

from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import nn

import msbreg_mm.models  # noqa: F401  registers the classes
from msbreg_mm.engine.cpu_amp import CPUAmpOptimWrapper
from msbreg_mm.engine.hooks import TargetEMAHook
from msbreg_mm.registry import MODELS
from msbreg_mm.utils.upstream import import_scope

LOSSES = {
    'centroid': dict(type='msbreg_mm.MultiviewCentroidLoss', form='centroid'),
    'view': dict(type='msbreg_mm.MultiviewCentroidLoss', form='view'),
    'singular': dict(type='msbreg_mm.SingularValueLoss'),
    'vicreg': dict(type='msbreg_mm.VICRegLoss'),
}
TERMS = dict(
    centroid=dict(type='msbreg_mm.MultiviewCentroidLoss', form='view'),
    singular_value=dict(type='msbreg_mm.SingularValueLoss', loss_weight=0.01),
    brownian=dict(type='msbreg_mm.BrownianDiffusiveLoss', loss_weight=0.1),
)
NECK = dict(
    type='NonLinearNeck', in_channels=32, hid_channels=16, out_channels=8,
    with_last_bn=False, with_avg_pool=True, norm_cfg=dict(type='BN1d'),
)  # fmt: skip
MODEL = dict(
    type='msbreg_mm.MSBReg',
    backbone=dict(type='ResNet', depth=18, stem_channels=4, base_channels=4),
    neck=NECK,
    head=dict(type='msbreg_mm.MSBRegHead', terms=TERMS),
    data_preprocessor=dict(
        type='SelfSupDataPreprocessor', mean=[120.0] * 3, std=[60.0] * 3
    ),
)


def embeddings(dtype, device, seed=0):
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(3, 6, 8, generator=generator, dtype=torch.float64)
    z = nn.functional.normalize(z, dim=-1)
    return z.to(device, dtype).requires_grad_()


def value_and_gradient(name, dtype, device):
    loss = MODELS.build(LOSSES[name]).to(device)
    z = embeddings(dtype, device)
    both = 'Centroid' in LOSSES[name]['type']
    value = loss(z, embeddings(dtype, device, 1).detach()) if both else loss(z)
    value = sum(value.values()) if isinstance(value, dict) else value
    value.backward()
    assert value.device.type == z.grad.device.type == device.type
    return value.detach().cpu().double(), z.grad.cpu().double()


@pytest.mark.parametrize('name', LOSSES)
def test_losses(name, device):
    expected = value_and_gradient(name, torch.float64, torch.device('cpu'))
    found = value_and_gradient(name, torch.float32, device)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_the_brownian_force_is_drawn_on_the_device(device):
    torch.manual_seed(0)
    loss = MODELS.build(
        dict(type='msbreg_mm.BrownianDiffusiveLoss', loss_weight=1.0)
    ).to(device)
    z = embeddings(torch.float32, device)
    loss(z).backward()
    # b_i / (K N): one direction for the views of an image
    assert z.grad.device.type == device.type
    torch.testing.assert_close(z.grad[0], z.grad[1])
    lengths = z.grad.norm(dim=-1)
    torch.testing.assert_close(lengths, torch.full_like(lengths, 1 / 18))


@pytest.mark.parametrize('name', LOSSES)
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_losses_under_autocast(name, dtype, device):
    expected = value_and_gradient(name, torch.float64, torch.device('cpu'))[0]
    with torch.autocast(device.type, dtype):
        value, gradient = value_and_gradient(name, torch.float32, device)
    torch.testing.assert_close(value, expected, rtol=0.05, atol=0.02)
    assert gradient.isfinite().all()


def build_model(device):
    import_scope('mmpretrain')
    from mmpretrain.registry import MODELS as UPSTREAM

    torch.manual_seed(0)
    model = UPSTREAM.build(MODEL)
    model.init_weights()
    return model.to(device).train()


def batch(seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = 4, 3, 32, 32
    views = [
        torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
        for _ in range(2)
    ]
    return dict(inputs=views, data_samples=[None] * len(views[0]))


def step(model, wrapper):
    """One training step; returns the loss."""
    data = model.data_preprocessor(batch(), True)
    assert all(
        view.device == next(model.parameters()).device for view in data['inputs']
    )
    torch.manual_seed(1)  # of the Brownian force
    with wrapper.optim_context(model):
        losses = model(**data, mode='loss')
    total, _ = model.parse_losses(losses)
    wrapper.update_params(total)
    return total


def test_pipeline_model_and_optimizer(device):
    model = build_model(device)
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    before = model.backbone.conv1.weight.detach().clone()
    target = model.target_backbone.conv1.weight.detach().clone()
    values = [step(model, wrapper) for _ in range(3)]
    assert all(
        value.isfinite() and value.device.type == device.type for value in values
    )
    assert not torch.equal(model.backbone.conv1.weight, before)
    assert torch.equal(model.target_backbone.conv1.weight, target)


@pytest.mark.parametrize('dtype', ['float16', 'bfloat16'])
def test_mixed_precision(dtype, device):
    if device.type == 'cpu' and dtype == 'float16':
        pytest.skip('the CPU trains in bfloat16')
    model = build_model(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    full = step(build_model(device), OptimWrapper(optimizer)).item()
    wrapper = (
        CPUAmpOptimWrapper(optimizer=optimizer)
        if device.type == 'cpu'
        else AmpOptimWrapper('dynamic', dtype, optimizer=optimizer)
    )
    first = step(model, wrapper)
    assert first.dtype == torch.float32
    assert first.item() == pytest.approx(full, rel=0.05, abs=0.05)
    step(model, wrapper)
    assert all(value.dtype == torch.float32 for value in model.parameters())
    assert all(value.isfinite().all() for value in model.parameters())


def test_target_follows_on_the_device(device):
    model = build_model(device)
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    hook = TargetEMAHook(momentum=0.9, end_momentum=0.9)
    runner = SimpleNamespace(
        model=model, optim_wrapper=wrapper, iter=0, max_iters=2,
        message_hub=SimpleNamespace(update_scalar=lambda *args: None),
    )  # fmt: skip
    hook.before_train(runner)
    online, target = model.backbone.conv1.weight, model.target_backbone.conv1.weight
    expected = target.detach().double().cpu()
    for index in range(2):
        step(model, wrapper)
        hook.after_train_iter(runner, index)
        expected = 0.9 * expected + 0.1 * online.detach().double().cpu()
    hook.after_train(runner)
    assert target.device.type == device.type
    torch.testing.assert_close(target.detach().double().cpu(), expected)


def test_synchronised_batch_norm_of_one_process(device, tmp_path):
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to(device)
    synced = nn.SyncBatchNorm.convert_sync_batchnorm(plain)
    assert isinstance(synced[1], nn.SyncBatchNorm)
    x = torch.randn(4, 3, 8, 8, device=device)
    plain[1].reset_running_stats()
    if device.type == 'cuda':
        torch.distributed.init_process_group(
            'nccl', init_method=f'file://{tmp_path}/store', rank=0, world_size=1
        )
    try:
        found = synced(x)
    finally:
        if device.type == 'cuda':
            torch.distributed.destroy_process_group()
    mean = plain[0](x).mean((0, 2, 3), keepdim=True)
    variance = plain[0](x).var((0, 2, 3), unbiased=False, keepdim=True)
    expected = (plain[0](x) - mean) / (variance + 1e-5).sqrt()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(synced[1].running_mean, 0.1 * mean.flatten())
