_base_ = ['../../_base_/models/msbreg_resnet18-w16.py', './cpu_cifar10.py']

model = dict(head=dict(predictor=None))
custom_hooks = [
    dict(type='msbreg_mm.TargetEMAHook', momentum=0.996, end_momentum=1.0),
    _base_.monitor,
    _base_.online_probe,
]
