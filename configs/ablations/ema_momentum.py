start, end = 'custom_hooks.0.momentum', 'custom_hooks.0.end_momentum'
ablation = dict(
    description='Momentum of the target network, rising to 1; off: the target is the online network.',
    base='_base_/msbreg_cifar10.py',
    variants={
        'off': {start: 0.0, end: 0.0},
        'from 0.9': {start: 0.9},
        'from 0.99': {start: 0.99},
        'from 0.996': {},
        'from 0.999': {start: 0.999},
        'frozen target': {start: 1.0},
        'random init': None,
    },
    reference='from 0.996',
    tasks=['_base_/probe_cifar10_32px.py'],
)
