import pytest
import torch
from regularized_methods import (
    build,
    embed_by_hand,
    make_algorithm,
    make_views,
    regularized,
    train,
)
from torch.nn import functional as F

from msbreg_mm.models.losses import singular_value_loss

PAIRWISE = ['BYOL', 'SimSiam', 'BarlowTwins', 'MoCoV3']


@pytest.mark.parametrize('name', PAIRWISE)
def test_all_pairs_is_the_mean_over_pairs_with_each_view_embedded_once(name):
    views = make_views(name) + make_views(name, seed=2)[:1]
    model = build(regularized(name, 0.5, 0, all_pairs=True)).train()
    expected = []
    for pair in ([0, 1], [0, 2], [1, 2]):
        twin = build(make_algorithm(name)).train()
        expected.append(sum(twin.loss([views[i] for i in pair], []).values()))
    calls = []
    model.backbone.conv1.register_forward_hook(lambda *_: calls.append(0))
    by_hand = build(make_algorithm(name)).train()
    losses = model.loss(views, [])
    assert len(calls) == 3
    torch.testing.assert_close(losses['loss'], sum(expected) / 3)
    z = F.normalize(embed_by_hand(name, by_hand, views), dim=-1)
    expected = 0.5 * singular_value_loss(z)
    torch.testing.assert_close(losses['loss_singular_value'], expected)
    for module in model.modules():  # nothing stays replaced
        assert not {'forward', 'update_parameters'} & vars(module).keys()
        assert int(getattr(module, 'steps', 1)) == 1
    # every first view is one of the leading num_target_views
    model = build(regularized(name, 0, 0, all_pairs=True, num_target_views=1))
    model.loss(views, [])


@pytest.mark.parametrize('name', PAIRWISE)
def test_all_pairs_of_two_views_is_the_method(name):
    expected, logs, _ = train(make_algorithm(name), name, steps=2)
    found, found_logs, _ = train(regularized(name, 0, 0, all_pairs=True), name, 2)
    assert found_logs == logs
    for key, value in expected.items():
        assert torch.equal(found[key], value), key
