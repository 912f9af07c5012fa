# mmpretrain's SimSiam with switches for what keeps it from collapsing.
_base_ = ['../../_base_/models/simsiam_resnet18-w16.py', './cpu_cifar10.py']

algorithm = _base_.model
algorithm['head'].update(type='msbreg_mm.LatentAblationHead', stop_gradient=True)
model = dict(
    _delete_=True,
    type='msbreg_mm.Regularized',
    algorithm=algorithm,
    terms=dict(singular_value=None, brownian=None),
)
train_dataloader = dict(dataset=dict())
train_dataloader['dataset']['pipeline'] = _base_.train_dataloader.dataset.pipeline
train_dataloader['dataset']['pipeline'][0]['views'][0]['num_views'] = 2
custom_hooks = [dict(_base_.monitor, module='regularizer.embeddings'), _base_.online_probe]
