import copy

import gloo
import pytest
import torch
from fake_data import write_npz
from regularized_methods import (
    ALGORITHMS,
    BACKBONE,
    DIM,
    TARGETS,
    build,
    embed_by_hand,
    make_algorithm,
    make_views,
    neck,
    regularized,
    train,
)
from test_configs import ROOT
from torch import distributed as dist
from torch import nn
from torch.nn import functional as F

from msbreg_mm.engine.launch import build_runner
from msbreg_mm.models.losses import brownian_diffusive_loss, singular_value_loss
from msbreg_mm.models.losses.brownian_diffusive_loss import sample_directions
from msbreg_mm.runs.config import LaunchOptions

EXTRA = {'loss_singular_value', 'loss_brownian'}
CENTROID = dict(type='msbreg_mm.MultiviewCentroidLoss', loss_weight=1.0)
every_method = pytest.mark.parametrize('name', ALGORITHMS)


def gradients(model, losses):
    sum(losses.values()).backward()
    return {name: p.grad for name, p in model.named_parameters() if p.requires_grad}


@every_method
def test_weights_of_zero_train_bit_for_bit_as_the_method(name):
    expected, logs, random_state = train(make_algorithm(name), name)
    found, found_logs, found_state = train(regularized(name, 0, 0), name)
    assert list(found) == list(expected)
    for key, value in expected.items():
        assert torch.equal(found[key], value), key
    assert found_logs == logs
    assert torch.equal(found_state, random_state)
    # The comparison would notice a weight.
    changed, _, _ = train(regularized(name, 0.5, 0), name, steps=1)
    once, _, _ = train(make_algorithm(name), name, steps=1)
    assert any(not torch.equal(changed[key], once[key]) for key in once)


@every_method
def test_terms_and_gradients_equal_those_by_hand(name):
    views = [view.double() for view in make_views(name)]
    plain = build(make_algorithm(name), torch.float64).train()
    by_hand = copy.deepcopy(plain)
    torch.manual_seed(7)
    own = plain.loss(views, [])
    z = F.normalize(embed_by_hand(name, by_hand, views), dim=-1)
    directions = sample_directions(z.shape[1:], z)
    extra = {
        'loss_singular_value': 0.5 * singular_value_loss(z),
        'loss_brownian': 0.2 * brownian_diffusive_loss(z, directions),
    }

    model = build(regularized(name), torch.float64).train()
    torch.manual_seed(7)
    losses = model.loss(views, [])
    assert set(losses) == set(own) | EXTRA
    for key, value in own.items():
        assert torch.equal(losses[key], value), key
    for key, value in extra.items():
        torch.testing.assert_close(losses[key], value)

    alone, added = gradients(plain, own), gradients(by_hand, extra)
    reached = 0.0
    for key, gradient in gradients(model, losses).items():
        assert not key.startswith(TARGETS)
        parts = [g for g in (alone[key], added[key]) if g is not None]
        if key.startswith('backbone'):
            reached += added[key].norm().item()
        if not parts:
            assert gradient is None
            continue
        torch.testing.assert_close(gradient, sum(parts))
    assert reached > 0


@every_method
def test_it_is_the_method_with_its_keys(name):
    plain, model = build(make_algorithm(name)), build(regularized(name))
    assert isinstance(model, type(plain))
    assert list(model.state_dict()) == list(plain.state_dict())
    keys = [key for key, _ in plain.named_parameters()]
    assert [key for key, _ in model.named_parameters()] == keys
    model.load_state_dict(plain.state_dict(), strict=True)
    twin = copy.deepcopy(model)  # as mmengine's EMAHook makes one
    assert set(twin.loss(make_views(name), [])) >= EXTRA
    assert 'loss_singular_value' not in plain.loss(make_views(name), [])


@pytest.mark.parametrize('name', ['BYOL', 'MoCoV3', 'SimSiam', 'SwAV'])
def test_centroid_of_the_target_or_of_the_method_itself(name):
    views = make_views(name)
    cfg = regularized(name, 0, 0, terms={'centroid': CENTROID}, num_target_views=2)
    model = build(cfg).train()
    by_hand = copy.deepcopy(model)
    losses = model.loss(views, [])
    z = F.normalize(embed_by_hand(name, by_hand, views), dim=-1)
    target = next(
        (getattr(by_hand, t[:-1]) for t in TARGETS if hasattr(by_hand, t[:-1])), None
    )
    if target is None:
        t = z.detach()[:2]
    else:
        t = torch.stack([F.normalize(target(view)[0], dim=-1) for view in views])
    centre = F.normalize(t.mean(dim=0), dim=-1)
    expected = (2 - 2 * (z * centre).sum(dim=-1)).mean()
    torch.testing.assert_close(losses['loss_centroid'], expected)
    losses['loss_centroid'].backward()
    assert model.backbone.conv1.weight.grad.norm() > 0
    for key, parameter in model.named_parameters():
        assert not key.startswith(TARGETS) or parameter.grad is None


def test_the_monitor_reads_normalised_embeddings_even_with_weights_of_zero():
    for weight in (0.0, 1.0):
        model = build(regularized('SimCLR', weight, weight))
        seen = []
        tap = model.get_submodule('regularizer.embeddings')
        tap.register_forward_hook(
            lambda _, args, output, seen=seen: seen.append(output)
        )
        model.loss(make_views('SimCLR'), [])
        assert seen[0].shape == (2, 4, DIM)
        torch.testing.assert_close(seen[0].norm(dim=-1), torch.ones(2, 4))


def test_float32_under_autocast_and_without_gradient():
    model = build(regularized('BYOL'))
    with torch.autocast('cpu', torch.bfloat16):
        losses = model.loss(make_views('BYOL'), [])
    assert {losses[key].dtype for key in EXTRA} == {torch.float32}
    with torch.no_grad():
        assert set(model.loss(make_views('BYOL'), [])) >= EXTRA


GROUP_NORM = dict(type='GN', num_groups=2)


def distributed_step(sizes):
    """One step of a method without batch statistics, on a rank's share."""
    projector = {**neck(), 'norm_cfg': GROUP_NORM}
    predictor = {**neck(DIM, with_avg_pool=False), 'norm_cfg': GROUP_NORM}
    algorithm = make_algorithm('SimSiam')
    algorithm.update(
        backbone={**BACKBONE, 'norm_cfg': GROUP_NORM},
        neck=projector,
        head={**algorithm['head'], 'predictor': predictor},
    )
    terms = {'centroid': {**CENTROID, 'loss_weight': 0.3}}
    cfg = regularized('SimSiam', 0.5, 0, algorithm=algorithm, terms=terms)
    model = build(cfg)
    views = make_views('SimSiam', images=8)
    forward = model
    if dist.is_initialized():
        views = [view.split(sizes)[dist.get_rank()] for view in views]
        forward = nn.parallel.DistributedDataParallel(model)
    losses = forward(views, None, 'loss')
    sum(losses.values()).backward()
    terms = [losses[key].detach() for key in ('loss_singular_value', 'loss_centroid')]
    return terms, [p.grad for p in model.parameters()]


@pytest.mark.dist
def test_ddp_step_equals_the_concatenated_batch():
    expected = distributed_step((4, 4))
    for found in gloo.run(distributed_step, (4, 4)):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_a_config_trains_with_the_methods_hook_the_monitor_and_ema(tmp_path):
    write_npz(tmp_path / 'train.npz')
    options = LaunchOptions(
        config=f'{ROOT}/configs/demo/swav-reg_resnet18-w16_1xb64-coslr-10e_cifar10.py',
        work_dir=str(tmp_path / 'work'),
        cfg_options={
            'data_root': f'{tmp_path}/',
            'train_cfg.max_epochs': 2,
            'train_dataloader.batch_size': 4,
            'train_dataloader.num_workers': 0,
            'train_dataloader.persistent_workers': False,
            'log_level': 'ERROR',
            'custom_hooks': [
                dict(
                    type='SwAVHook', batch_size=4, queue_length=8, epoch_queue_starts=0
                ),
                dict(
                    type='msbreg_mm.EmbeddingMonitorHook',
                    module='regularizer.embeddings',
                    interval=1,
                ),
                dict(type='EMAHook'),
            ],
        },
    )
    runner = build_runner(options)
    before = runner.model.backbone.conv1.weight.clone()
    runner.train()
    assert runner.iter == 4
    assert not torch.equal(runner.model.backbone.conv1.weight, before)
    scalars = runner.message_hub.log_scalars
    for name in ('loss_singular_value', 'loss_brownian', 'effective_rank'):
        assert len(scalars[f'train/{name}'].data[0]) == 4
    assert int(runner.model.head.loss_module.queue.count_nonzero()) > 0
