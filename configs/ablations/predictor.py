# BYOL's predictor, of the projector's shape.
predictor = dict(
    type='NonLinearNeck', in_channels=128, hid_channels=512, out_channels=128,
    with_bias=True, with_last_bn=False, with_avg_pool=False, norm_cfg=dict(type='BN1d'),
)
ablation = dict(
    description='A predictor before the centroid loss, with and without the singular value loss.',
    base='_base_/msbreg_cifar10.py',
    grid={
        'predictor': {'no predictor': {}, 'predictor': {'model.head.predictor': predictor}},
        'singular value': {'singular value': {}, 'no singular value': {'model.head.terms.singular_value': None}},
    },
    variants={'random init': None},
    reference='no predictor, singular value',
    tasks=['_base_/probe_cifar10_32px.py'],
)
