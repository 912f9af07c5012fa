ablation = dict(
    description='Form of the multiview centroid loss at several weights of the singular value loss.',
    base='_base_/msbreg_cifar10.py',
    grid={
        'model.head.terms.singular_value.loss_weight': [0.001, 0.003, 0.01, 0.03],
        'model.head.terms.centroid.form': ['view', 'centroid'],
    },
    variants={'random init': None},
    reference='singular_value.loss_weight=0.01, view',
    tasks=['_base_/probe_cifar10_32px.py'],
)
