schedule = dict(type='msbreg_mm.LossWeightScheduleHook', module='head.brownian')
ablation = dict(
    description='Weight of the Brownian loss, constant and falling or rising over the training.',
    base='_base_/msbreg_cifar10.py',
    grid={'model.head.terms.brownian.loss_weight': [0, 0.1, 1.0, 3.0, 10.0, 30.0]},
    variants={
        '3 to 0, linear': {'+custom_hooks.-': dict(schedule, start=3.0, end=0.0)},
        '3 to 0, cosine': {'+custom_hooks.-': dict(schedule, start=3.0, end=0.0, form='cosine')},
        '0 to 3, linear': {'+custom_hooks.-': dict(schedule, start=0.0, end=3.0)},
        'random init': None,
    },
    reference='brownian.loss_weight=0.1',
    tasks=['_base_/probe_cifar10_32px.py'],
)
