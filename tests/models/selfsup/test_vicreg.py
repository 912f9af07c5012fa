import pytest
import torch
from regularized_methods import build, make_algorithm, make_views

from msbreg_mm.models.losses import vicreg_terms


def make():
    return build(make_algorithm('msbreg_mm.VICReg')).train()


def test_each_view_is_normalised_by_itself():
    views = [view * scale for view, scale in zip(make_views(''), (1, 50), strict=True)]
    losses = make().loss(views, [])
    model = make()
    z = torch.stack([model.neck(model.backbone(view))[0] for view in views])
    weights = {'invariance': 25, 'variance': 25, 'covariance': 1}
    assert set(losses) == {f'loss_{name}' for name in weights}
    for name, value in vicreg_terms(z).items():
        torch.testing.assert_close(losses[f'loss_{name}'], weights[name] * value)


def test_gradient_reaches_every_parameter_and_views_may_differ_in_size():
    model = make()
    views = make_views('SwAV')[1:3]
    losses = model.loss(views, [])
    sum(losses.values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all()
    assert len(model.loss([*views, views[0]], [])) == 3


def test_errors():
    model = make()
    with pytest.raises(
        ValueError, match='VICReg needs a list of at least 2 views, got 1'
    ):
        model.loss(make_views('')[0], [])
    with pytest.raises(ValueError, match='at least 2 views, got 1'):
        model.loss(make_views('')[:1], [])
    views = make_views('')
    views[1][2] = torch.nan
    with pytest.raises(
        FloatingPointError, match=r'loss_invariance.*online.*views \[1\]'
    ):
        model.loss(views, [])
