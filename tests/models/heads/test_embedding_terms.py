"""Terms by name: what they read, old configs, and a term from another package."""

import copy
from pathlib import Path

import pytest
import torch
from fake_data import write_npz
from mmengine.config import Config
from mmpretrain.registry import MODELS as MMPRETRAIN_MODELS
from torch import Tensor, nn
from torch.nn import functional as F

from msbreg_mm.engine.launch import LaunchOptions, build_runner
from msbreg_mm.models.heads import EmbeddingTerms, MSBRegHead
from msbreg_mm.models.heads.embedding_terms import MSBREG_TERMS
from msbreg_mm.models.selfsup.regularized import build_regularized
from msbreg_mm.registry import MODELS

DEMO = Path(__file__).parents[3] / 'configs' / 'demo'
# A package outside the repository: a loss in a file of its own.
PACKAGE = """
import torch
from torch import nn
from msbreg_mm.registry import MODELS

@MODELS.register_module()
class UniformityTerm(nn.Module):
    def __init__(self, t, loss_weight):
        super().__init__()
        self.t, self.loss_weight = t, loss_weight

    def forward(self, embeddings):
        square = torch.cdist(embeddings, embeddings).square()
        return self.loss_weight * square.mul(-self.t).exp().mean().log()
"""
TERM = (
    "terms=dict(uniformity=dict(type='msbreg_mm.UniformityTerm', t=2, loss_weight=3))"
)
CHILD = """
_base_ = ['{base}']
custom_imports = dict(imports=['msbreg_mm.engine', 'outside_loss'])
model = {model}
"""


@pytest.mark.parametrize(
    ('base', 'model', 'tap', 'num_terms'),
    [
        ('msbreg', f'dict(head=dict({TERM}))', 'head.embeddings', 4),
        ('byol-reg', f'dict({TERM})', 'regularizer.embeddings', 3),
    ],
    ids=['msbreg', 'byol-reg'],
)
def test_a_term_of_another_package_is_one_line(
    base, model, tap, num_terms, tmp_path, monkeypatch
):
    (tmp_path / 'outside_loss.py').write_text(PACKAGE)
    monkeypatch.syspath_prepend(tmp_path)
    config = tmp_path / 'child.py'
    path = DEMO / f'{base}_resnet18-w16_1xb64-coslr-10e_cifar10.py'
    config.write_text(CHILD.format(base=path, model=model))
    write_npz(tmp_path / 'train.npz')
    options = {
        'data_root': f'{tmp_path}/',
        'train_cfg.max_epochs': 1,
        'train_dataloader.batch_size': 4,
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        'log_level': 'ERROR',
    }
    runner = build_runner(
        LaunchOptions(str(config), str(tmp_path), cfg_options=options)
    )
    seen = []
    runner.model.get_submodule(tap).register_forward_hook(
        lambda module, args, output: seen.append(output.detach())
    )
    runner.train()
    history = runner.message_hub.log_scalars
    terms = [name for name in history if name.startswith('train/loss_')]
    assert len(terms) == num_terms
    square = torch.cdist(seen[0], seen[0]) ** 2
    expected = 3 * (-2 * square).exp().mean().log()
    assert history['train/loss_uniformity'].data[0][0] == pytest.approx(expected.item())
    if base == 'msbreg':  # BYOL logs its own loss under this name
        total = sum(history[name].data[0][0] for name in terms)
        assert history['train/loss'].data[0][0] == pytest.approx(total, rel=1e-5)


class Spy(nn.Module):
    """Keeps what it reads."""

    def __init__(self, reads: tuple[str, ...] | None = None, returns=None) -> None:
        super().__init__()
        if reads is not None:
            self.reads = reads
        self.returns = returns
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, *tensors: Tensor):
        self.seen = tensors
        return self.scale * tensors[0].sum() if self.returns is None else self.returns


MMPRETRAIN_MODELS.register_module(name='SpyOfEmbeddingTerms', module=Spy)


def spy(*reads: str, **options) -> dict:
    return {'type': 'SpyOfEmbeddingTerms', 'reads': reads or None, **options}


def raw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 3


PREDICTOR = {
    'type': 'NonLinearNeck',
    'in_channels': 6,
    'hid_channels': 8,
    'out_channels': 6,
    'with_avg_pool': False,
    'norm_cfg': {'type': 'GN', 'num_groups': 2},
}


def test_each_term_gets_what_it_reads_in_its_order():
    terms = EmbeddingTerms(
        {'a': spy(), 'b': spy('target', 'prediction', 'online')}, PREDICTOR
    )
    online, target = (
        raw(3, 4, 6).requires_grad_(),
        raw(2, 4, 6, seed=1).requires_grad_(),
    )
    losses = terms.loss(online, target)
    assert list(losses) == ['loss_a', 'loss_b']
    z, t = F.normalize(online, dim=-1), F.normalize(target, dim=-1)
    (prediction,) = terms.predictor((online.flatten(0, 1),))
    p = F.normalize(prediction.view(3, 4, 6), dim=-1)
    torch.testing.assert_close(terms.a.seen, (z,))
    torch.testing.assert_close(terms.b.seen, (t.detach(), p, z))
    sum(losses.values()).backward()
    assert target.grad is None
    assert terms.a.scale.grad is not None  # a term may have parameters
    # Without a target network the target is the online network's, a constant.
    terms.loss(online)
    torch.testing.assert_close(terms.b.seen[0], z)
    assert not terms.b.seen[0].requires_grad


def test_weight_0_is_off_in_a_regulariser_and_drawn_in_msbreg():
    terms = {'brownian': {**MSBREG_TERMS['brownian'], 'loss_weight': 0.0}}
    online, target = raw(2, 4, 6).requires_grad_(), raw(2, 4, 6, seed=1)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    assert EmbeddingTerms(terms).loss(online) == {}
    assert torch.equal(torch.get_rng_state(), before)
    assert MSBRegHead(terms).loss(online, target)['loss_brownian'] == 0
    assert not torch.equal(torch.get_rng_state(), before)


def weights(module: EmbeddingTerms) -> dict:
    return {name: getattr(module, name).loss_weight for name in module.reads}


def test_older_configs_of_the_head_keep_their_meaning():
    brownian = {'type': 'msbreg_mm.BrownianDiffusiveLoss', 'loss_weight': 0.7}
    old = dict(type='msbreg_mm.MSBRegHead', brownian=brownian, centroid=None)
    with pytest.warns(FutureWarning) as warned:
        head = MODELS.build(old)
    assert 'older configs; write terms=dict(brownian=...)' in str(warned[0].message)
    assert weights(head) == {'singular_value': 0.01, 'brownian': 0.7}
    # As a child of this repository's config, or by --cfg-options: one key changes.
    with pytest.warns(FutureWarning):
        head = MSBRegHead(
            {**MSBREG_TERMS, 'brownian': {**brownian, 'shared': False}},
            brownian={'loss_weight': 0.2},
        )
    assert weights(head) == {'centroid': 1.0, 'singular_value': 0.01, 'brownian': 0.2}
    assert head.brownian.shared is False
    with pytest.warns(FutureWarning):
        head = MSBRegHead(brownian=spy(), predictor=PREDICTOR)
    assert isinstance(head.brownian, Spy)
    # Checkpoints have the same keys.
    assert {key.split('.')[0] for key in head.state_dict()} == {'predictor', 'brownian'}


def test_older_configs_of_regularised_methods_keep_their_meaning():
    path = DEMO / 'byol-reg_resnet18-w16_1xb64-coslr-10e_cifar10.py'
    model = Config.fromfile(path).model.to_dict()
    new = MMPRETRAIN_MODELS.build(copy.deepcopy(model))
    terms = model.pop('terms')
    with pytest.warns(FutureWarning, match='Regularized'):
        old = MMPRETRAIN_MODELS.build(
            dict(model, **terms, centroid=MSBREG_TERMS['centroid'])
        )
    assert weights(new.regularizer) == {'singular_value': 0.01, 'brownian': 0.1}
    expected = {'centroid': 1.0, **weights(new.regularizer)}
    assert list(weights(old.regularizer).items()) == list(expected.items())
    assert list(old.state_dict()) == list(new.state_dict())


@pytest.mark.parametrize(
    ('terms', 'match'),
    [
        ({'a b': spy()}, "no term of EmbeddingTerms can be called 'a b'"),
        ({'embeddings': spy()}, "can be called 'embeddings'.*does not use itself"),
        ({'x': spy('keys')}, r"Spy reads \['keys'\]; a term can read 'online', 'pred"),
    ],
)
def test_terms_that_cannot_be(terms, match):
    with pytest.raises(ValueError, match=match):
        EmbeddingTerms(terms)


def test_a_term_returns_a_scalar():
    with pytest.raises(TypeError, match=r"term 'a' must return a scalar.*got \(2,\)"):
        EmbeddingTerms({'a': spy(returns=torch.ones(2))}).loss(raw(2, 4, 6))
    with pytest.raises(TypeError, match=r"term 'a' must return a scalar.*got dict"):
        EmbeddingTerms({'a': spy(returns={})}).loss(raw(2, 4, 6))


def test_other_keywords_say_how_a_term_is_added():
    with pytest.raises(TypeError, match=r"no argument 'uniform'.*terms=dict\(uniform="):
        MSBRegHead(uniform=spy())
    with pytest.raises(TypeError, match="Regularized takes no argument 'brownain'"):
        build_regularized(dict(type='BYOL'), brownain=None)
