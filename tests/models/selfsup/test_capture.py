import copy

import pytest
import torch
from mmpretrain.models import BYOL
from mmpretrain.registry import MODELS
from regularized_methods import (
    BACKBONE,
    build,
    embed_by_hand,
    make_views,
    neck,
    regularized,
)
from torch.nn import functional as F

from msbreg_mm.datasets.transforms import MultiViewAugment
from msbreg_mm.models.losses import singular_value_loss

EXTRA = {'loss_singular_value', 'loss_brownian'}
CENTROID = dict(type='msbreg_mm.MultiviewCentroidLoss', loss_weight=1.0)


def test_module_option_reads_another_module():
    views = make_views('BYOL')
    model = build(regularized('BYOL', 0.5, 0, module='head.predictor')).train()
    by_hand = copy.deepcopy(model)
    projections = embed_by_hand('BYOL', by_hand, views)
    z = torch.stack([by_hand.head.predictor([view])[0] for view in projections])
    expected = 0.5 * singular_value_loss(F.normalize(z, dim=-1))
    found = model.loss(views, [])['loss_singular_value']
    torch.testing.assert_close(found, expected)


def test_unknown_method_works_with_a_named_module():
    class Own(BYOL.__mro__[1]):
        def loss(self, inputs, data_samples):
            return dict(loss=self.neck(self.backbone(inputs))[0].square().mean())

    algorithm = dict(type=Own, backbone=BACKBONE, neck=neck())
    with pytest.raises(ValueError, match=r"knows no embedding.*of Own.*module='neck'"):
        build(regularized('', algorithm=algorithm))
    model = build(regularized('', algorithm=algorithm, module='neck'))
    losses = model.loss(make_views('BYOL')[0], [])
    assert set(losses) == {'loss'} | EXTRA
    model.regularizer.singular_value.loss_weight = 0.0  # as a schedule does
    assert 'loss_singular_value' not in model.loss(make_views('BYOL')[0], [])


def test_multi_crop_of_the_pipeline_feeds_swav():
    augment = MultiViewAugment(
        views=[dict(num_views=2, size=32), dict(num_views=2, size=16)]
    )
    images = torch.randint(256, (4, 40, 40, 3), dtype=torch.uint8).numpy()
    views = zip(*(augment(dict(img=i))['img'] for i in images), strict=True)
    data = [
        torch.stack([torch.from_numpy(v).permute(2, 0, 1) for v in k]) for k in views
    ]
    model = build(regularized('SwAV'))
    losses = model.loss([view.float() / 255 for view in data], [])
    assert all(value.isfinite() for value in losses.values())


@pytest.mark.parametrize('name', ['BYOL', 'SimSiam', 'BarlowTwins', 'SimCLR', 'MoCo'])
def test_wrong_number_of_views(name):
    views = make_views(name)
    model = build(regularized(name))
    with pytest.raises(ValueError, match=rf'{name} takes 2 views, got 4.*num_views'):
        model.loss(views * 2, [])
    with pytest.raises(ValueError, match='takes 2 views, got 1'):
        model.loss(views[0], [])


def test_swav_needs_the_crops_of_its_loss():
    with pytest.raises(ValueError, match='SwAV takes 4 views, got 2'):
        build(regularized('SwAV')).loss(make_views('BYOL'), [])
    pairs = build(regularized('BYOL', all_pairs=True))
    with pytest.raises(ValueError, match='takes at least 2 views, got 1'):
        pairs.loss(make_views('BYOL')[:1], [])


@pytest.mark.parametrize('name', ['MAE', 'SimMIM', 'BEiT', 'MaskFeat'])
def test_methods_without_embeddings_are_named(name):
    with pytest.raises(ValueError, match=rf'embedding.*of {name};.*masked.*module='):
        MODELS.build(regularized('', algorithm=dict(type=name)))


def test_bad_options():
    def make(name='BYOL', **kwargs):
        return build(regularized(name, **kwargs))

    with pytest.raises(ValueError, match=r"no module 'projector'.*'neck'"):
        make(module='projector')
    with pytest.raises(ValueError, match=r'MoCo embeds one view.*centroid=None'):
        make('MoCo', terms={'centroid': CENTROID})
    with pytest.raises(ValueError, match='all_pairs is not for SimCLR'):
        make('SimCLR', all_pairs=True)
    with pytest.raises(ValueError, match='num_target_views must be at least 1, got 0'):
        make(num_target_views=0)
    with pytest.raises(ValueError, match=r'loss_weight of SingularValueLoss.*-1'):
        make(singular_value=-1)
    with pytest.raises(TypeError, match=r"algorithm of Regularized.*type='ResNet'"):
        build(regularized('', algorithm=BACKBONE))
    views = make_views('BYOL')
    with pytest.raises(ValueError, match=r"\(N, D\)|embeddings \(k x 4.*'backbone'"):
        make(module='backbone').loss(views, [])
    with pytest.raises(ValueError, match=r"found no embeddings: 'target_net'"):
        make(module='target_net').loss(views, [])
    views[0][0] = torch.nan
    with pytest.raises(FloatingPointError, match=r'loss_singular_value.*online'):
        make('SimSiam').loss(views, [])


def test_a_method_that_has_the_terms_already():
    algorithm = dict(
        type='msbreg_mm.MSBReg',
        backbone=BACKBONE,
        neck=neck(),
        head=dict(type='msbreg_mm.MSBRegHead'),
    )
    model = build(regularized('', algorithm=algorithm, module='neck'))
    with pytest.raises(ValueError, match=r'already has.*loss_singular_value'):
        model.loss(make_views('BYOL'), [])
