import gloo
import pytest
import torch
from mmengine.registry import DefaultScope
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn import functional as F

from msbreg_mm.models.heads import MSBRegHead
from msbreg_mm.models.heads.embedding_terms import MSBREG_TERMS
from msbreg_mm.models.losses import multiview_centroid_loss, singular_value_loss
from msbreg_mm.registry import MODELS

PREDICTOR = {
    'type': 'NonLinearNeck',
    'in_channels': 6,
    'hid_channels': 8,
    'out_channels': 6,
    'with_avg_pool': False,
    'with_last_bn': False,
    'with_last_bias': True,
    'norm_cfg': {'type': 'BN1d'},
}
KEYS = ['loss_centroid', 'loss_singular_value', 'loss_brownian']


def raw(*shape: int, seed: int = 0) -> Tensor:
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return 3 * noise


def term(name: str, **options: object) -> dict:
    return {'type': f'msbreg_mm.{name}', **options}


def terms(**changes: dict | None) -> dict:
    """The three terms with changes."""
    return {**MSBREG_TERMS, **changes}


def test_hand_computed_value() -> None:
    singular_value = term('SingularValueLoss', loss_weight=0.5)
    head = MSBRegHead(terms(singular_value=singular_value, brownian=None))
    online = torch.tensor([[[2.0, 0.0], [0.0, 5.0], [-1.0, 0.0]]])
    target = torch.tensor([[[0.0, 3.0], [0.0, 1.0], [-4.0, 0.0]]])
    losses = head.loss(online, target)
    assert losses['loss_centroid'].item() == pytest.approx(2 / 3)
    assert losses['loss_singular_value'].item() == pytest.approx(0.5 / 9, rel=1e-5)


def test_terms_are_the_losses_of_normalised_embeddings() -> None:
    online, target = raw(4, 5, 6), raw(2, 5, 6, seed=1)
    z, t = F.normalize(online, dim=-1), F.normalize(target, dim=-1)
    losses = MSBRegHead().loss(online, target)
    assert list(losses) == KEYS
    expected = multiview_centroid_loss(z, t)
    torch.testing.assert_close(losses['loss_centroid'], expected)
    expected = 0.01 * singular_value_loss(z)
    torch.testing.assert_close(losses['loss_singular_value'], expected)
    assert losses['loss_brownian'].abs() <= 0.1


@pytest.mark.parametrize('key', KEYS)
def test_a_term_switched_off_has_no_key(key: str) -> None:
    head = MSBRegHead(terms(**{key.removeprefix('loss_'): None}))
    losses = head.loss(raw(2, 5, 6), raw(2, 5, 6, seed=1))
    assert set(losses) == set(KEYS) - {key}


def test_sequences_of_views_and_scale_do_not_matter() -> None:
    head = MSBRegHead(terms(brownian=None))
    online, target = raw(3, 5, 6), raw(2, 5, 6, seed=1)
    expected = head.loss(online, target)
    for losses in (
        head.loss(list(online), tuple(target)),
        head.loss(online * 7, target * torch.rand(2, 5, 1)),
    ):
        for key, value in losses.items():
            torch.testing.assert_close(value, expected[key])


def test_predictor_serves_the_centroid_term_in_one_batch() -> None:
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        head = MSBRegHead(terms(brownian=None), PREDICTOR)
    batches = []
    head.predictor.register_forward_pre_hook(
        lambda module, args: batches.append(args[0][0].shape)
    )
    online, target = raw(3, 5, 6), raw(3, 5, 6, seed=1)
    losses = head.loss(online, target)
    assert batches == [(15, 6)]
    prediction = head.predictor((online.reshape(15, 6),))[0].reshape(3, 5, 6)
    expected = multiview_centroid_loss(
        F.normalize(prediction, dim=-1), F.normalize(target, dim=-1)
    )
    torch.testing.assert_close(losses['loss_centroid'], expected)
    expected = 0.01 * singular_value_loss(F.normalize(online, dim=-1))
    torch.testing.assert_close(losses['loss_singular_value'], expected)


@pytest.mark.parametrize('predictor', [None, PREDICTOR])
def test_gradient_reaches_online_and_not_target(predictor: dict | None) -> None:
    head = MSBRegHead(predictor=predictor)
    online = raw(2, 5, 6).requires_grad_()
    target = raw(2, 5, 6, seed=1).requires_grad_()
    sum(head.loss(online, target).values()).backward()
    assert target.grad is None
    for tensor in [online, *head.parameters()]:
        assert tensor.grad.isfinite().all()
        assert tensor.grad.abs().sum() > 0
    # Normalisation projects the radial part out.
    if predictor is None:
        radial = (online.grad * online.detach()).sum(dim=-1)
        torch.testing.assert_close(radial, torch.zeros(2, 5), atol=1e-7, rtol=0)


def test_monitors_read_embeddings_by_forward_hooks() -> None:
    head, seen = MSBRegHead(), {}
    for name in ('embeddings', 'target_embeddings'):
        getattr(head, name).register_forward_hook(
            lambda module, args, output, name=name: seen.update({name: output})
        )
    online = raw(4, 5, 6).requires_grad_()
    target = raw(2, 5, 6, seed=1).requires_grad_()
    head.loss(online, target)
    torch.testing.assert_close(seen['embeddings'], F.normalize(online, dim=-1))
    torch.testing.assert_close(seen['target_embeddings'], F.normalize(target, dim=-1))
    assert not seen['target_embeddings'].requires_grad
    assert not head.state_dict()  # no hidden state in checkpoints


def test_float32_under_autocast() -> None:
    head = MSBRegHead(terms(brownian=None), PREDICTOR)
    online, target = raw(2, 5, 6).bfloat16(), raw(2, 5, 6, seed=1).bfloat16()
    with torch.autocast('cpu', torch.bfloat16):
        losses = head.loss(online, target)
    assert {value.dtype for value in losses.values()} == {torch.float32}
    expected = 0.01 * singular_value_loss(F.normalize(online.float(), dim=-1))
    torch.testing.assert_close(losses['loss_singular_value'], expected, rtol=0, atol=0)


def test_embeddings_of_zero_stay_finite() -> None:
    online = torch.zeros(2, 4, 6, requires_grad=True)
    losses = MSBRegHead().loss(online, raw(2, 4, 6))
    sum(losses.values()).backward()
    assert online.grad.isfinite().all()


class _Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.projector = nn.Linear(4, 6)
        singular_value = term('SingularValueLoss', loss_weight=1)
        self.head = MSBRegHead(terms(singular_value=singular_value, brownian=None))

    def forward(self, views: Tensor, target: Tensor) -> dict[str, Tensor]:
        return self.head.loss(self.projector(views), target)


def _train_step(views: Tensor, target: Tensor, sizes: tuple[int, ...]) -> tuple:
    torch.manual_seed(0)
    model = _Model()
    if dist.is_initialized():
        views, target = (
            x.split(sizes, dim=1)[dist.get_rank()] for x in (views, target)
        )
        model = nn.parallel.DistributedDataParallel(model)
    losses = model(views, target)
    sum(losses.values()).backward()
    gradients = [parameter.grad for parameter in model.parameters()]
    return {key: value.detach() for key, value in losses.items()}, gradients


@pytest.mark.dist
@pytest.mark.parametrize('sizes', [(4, 4), (1, 7)])
def test_ddp_step_equals_the_concatenated_batch(sizes: tuple[int, ...]) -> None:
    views, target = raw(3, 8, 4), raw(2, 8, 6, seed=1)
    expected = _train_step(views, target, sizes)
    for losses_and_gradients in gloo.run(_train_step, views, target, sizes):
        torch.testing.assert_close(losses_and_gradients, expected)


def _nan_on_one_rank() -> str:
    online = raw(2, 4, 6)
    if dist.get_rank() == 1:
        online[0, 0, 0] = torch.nan
    try:
        MSBRegHead().loss(online, raw(2, 4, 6))
    except FloatingPointError as error:
        return str(error)
    return ''


@pytest.mark.dist
def test_nan_on_one_rank_stops_all() -> None:
    first, second = gloo.run(_nan_on_one_rank)
    assert 'the other ranks' in first
    assert 'online embeddings hold NaN or infinity in 1 of 8 vectors' in second


def test_is_registered() -> None:
    assert isinstance(MODELS.build({'type': 'msbreg_mm.MSBRegHead'}), MSBRegHead)


def test_non_finite_embeddings_are_named() -> None:
    good, bad = raw(2, 4, 6), raw(2, 4, 6)
    bad[1, 2] = torch.nan
    head = MSBRegHead()
    with pytest.raises(
        FloatingPointError, match=r'loss_centroid, .*online.*views \[1\]'
    ):
        head.loss(bad, good)
    with pytest.raises(FloatingPointError, match=r'^loss_centroid is not .*target'):
        head.loss(good, bad)
    bad[1, 2] = torch.inf
    with pytest.raises(FloatingPointError, match='loss_brownian is not finite: online'):
        head.loss(bad, good)


def test_errors() -> None:
    with pytest.raises(ValueError, match='MSBRegHead has no loss'):
        MSBRegHead(dict.fromkeys(MSBREG_TERMS))
    with pytest.raises(ValueError, match='predictor of MSBRegHead only serves'):
        MSBRegHead(terms(centroid=None), PREDICTOR)
    with pytest.raises(ValueError, match=r'loss_weight of SingularValueLoss.*-1'):
        MSBRegHead(terms(singular_value=term('SingularValueLoss', loss_weight=-1)))
    head = MSBRegHead()
    with pytest.raises(
        ValueError, match=r'online.*one shape, got \[\(4, 6\), \(3, 6\)\]'
    ):
        head.loss([raw(4, 6), raw(3, 6)], raw(2, 4, 6))
    with pytest.raises(ValueError, match=r'target.*at least one view.*got \[\]'):
        head.loss(raw(2, 4, 6), [])
    with pytest.raises(
        ValueError, match=r'online embeddings must have shape.*\(4, 6\)'
    ):
        head.loss(raw(4, 6), raw(2, 4, 6))
    wide = MSBRegHead(predictor={**PREDICTOR, 'out_channels': 7})
    with pytest.raises(ValueError, match=r"\(2, 4, 7\).*keep the projector's output"):
        wide.loss(raw(2, 4, 6), raw(2, 4, 6))
