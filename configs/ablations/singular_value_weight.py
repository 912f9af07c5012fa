ablation = dict(
    description='Weight of the singular value loss.',
    base='_base_/msbreg_cifar10.py',
    grid={'model.head.terms.singular_value.loss_weight': [0, 0.001, 0.003, 0.01, 0.03, 0.1]},
    variants={'random init': None},
    reference='singular_value.loss_weight=0.01',
    tasks=['_base_/probe_cifar10_32px.py'],
)
