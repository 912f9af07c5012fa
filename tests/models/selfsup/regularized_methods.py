"""Small configs of every method that can be regularised; embeddings by hand."""

import torch
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper
from mmpretrain.registry import MODELS

import msbreg_mm.models  # noqa: F401  registers the classes

DIM = 8
BACKBONE = dict(type='ResNet', depth=18, stem_channels=4, base_channels=4)
BN = dict(type='BN1d')


def neck(in_channels=32, **kwargs):
    return dict(
        type='NonLinearNeck',
        in_channels=in_channels,
        hid_channels=16,
        out_channels=DIM,
        norm_cfg=BN,
        **kwargs,
    )


def linear_neck(name, **kwargs):
    return dict(type=name, in_channels=32, hid_channels=16, out_channels=DIM, **kwargs)


PREDICTOR = neck(DIM, with_avg_pool=False)
PREDICT = dict(
    type='LatentPredictHead',
    predictor=PREDICTOR,
    loss=dict(type='CosineSimilarityLoss'),
)
CONTRAST = dict(type='ContrastiveHead', loss=dict(type='CrossEntropyLoss'))
QUEUE = dict(queue_len=16, feat_dim=DIM, momentum=0.1)
ALGORITHMS = {
    'BYOL': dict(neck=neck(), head=PREDICT, base_momentum=0.1),
    'SimSiam': dict(neck=neck(), head=PREDICT),
    'BarlowTwins': dict(
        neck=neck(),
        head=dict(
            type='LatentCrossCorrelationHead',
            in_channels=DIM,
            loss=dict(type='CrossCorrelationLoss'),
        ),
    ),
    'SimCLR': dict(neck=neck(), head=CONTRAST),
    'MoCo': dict(neck=linear_neck('MoCoV2Neck'), head=CONTRAST, **QUEUE),
    'MoCoV3': dict(
        neck=neck(),
        head=dict(
            type='MoCoV3Head',
            predictor=PREDICTOR,
            loss=dict(type='CrossEntropyLoss'),
        ),
        base_momentum=0.1,
    ),
    'SwAV': dict(
        neck=linear_neck('SwAVNeck', norm_cfg=BN),
        head=dict(
            type='SwAVHead',
            loss=dict(
                type='SwAVLoss', feat_dim=DIM, num_crops=[2, 2], num_prototypes=5
            ),
        ),
    ),
    'DenseCL': dict(neck=linear_neck('DenseCLNeck'), head=CONTRAST, **QUEUE),
    'msbreg_mm.VICReg': dict(neck=neck(), head=dict(type='msbreg_mm.VICRegHead')),
}
TARGETS = ('target_net.', 'momentum_encoder.', 'encoder_k.')


def make_views(name, seed=1, images=4):
    generator = torch.Generator().manual_seed(seed)
    sizes = [32, 32, 16, 16] if name == 'SwAV' else [32, 32]
    return [torch.randn(images, 3, s, s, generator=generator) for s in sizes]


def make_algorithm(name, **kwargs):
    return dict(type=name, backbone=BACKBONE, **ALGORITHMS[name], **kwargs)


def build(cfg, dtype=torch.float32):
    torch.manual_seed(0)
    MessageHub.get_current_instance().update_info('max_iters', 100)
    model = MODELS.build(cfg).to(dtype)
    if type(model).__name__.endswith('SwAV'):
        # as SwAVHook does
        queue = torch.randn(2, 8, DIM, generator=torch.Generator().manual_seed(3))
        model.head.loss_module.queue = queue.to(dtype)
    return model


def regularized(
    name, singular_value=0.5, brownian=0.2, algorithm=None, terms=(), **kwargs
):
    term = 'msbreg_mm.SingularValueLoss', 'msbreg_mm.BrownianDiffusiveLoss'
    return dict(
        type='msbreg_mm.Regularized',
        algorithm=algorithm or make_algorithm(name),
        terms=dict(
            singular_value=dict(type=term[0], loss_weight=singular_value),
            brownian=dict(type=term[1], loss_weight=brownian),
            **dict(terms),
        ),
        **kwargs,
    )


def embed_by_hand(name, model, views):
    """Return the online embeddings (K, N, D) of a method, written out."""
    num_images = len(views[0])
    if name == 'SimCLR':
        batch = torch.stack(views, dim=1).flatten(0, 1)
        embeddings = model.neck(model.backbone(batch))[0]
        return torch.stack([embeddings[0::2], embeddings[1::2]])
    if name == 'SwAV':
        maps = [model.backbone(torch.cat(views[i : i + 2])) for i in (0, 2)]
        return torch.stack(model.neck(maps).split(num_images))
    if name in ('MoCo', 'DenseCL'):
        views = views[:1]
    return torch.stack([model.neck(model.backbone(view))[0] for view in views])


def train(cfg, name, steps=3):
    """Return all tensors, logs and the random state after real optimizer steps."""
    model = build(cfg).train()
    trained = [p for p in model.parameters() if p.requires_grad]
    wrapper = OptimWrapper(torch.optim.SGD(trained, lr=0.1, momentum=0.9))
    torch.manual_seed(5)
    logs = []
    for step in range(steps):
        data = dict(inputs=make_views(name, seed=step), data_samples=[])
        logs.append(model.train_step(data, wrapper))
    tensors = model.state_dict()
    if name == 'SwAV':
        tensors['queue of SwAVHook'] = model.head.loss_module.queue
    return tensors, logs, torch.get_rng_state()
