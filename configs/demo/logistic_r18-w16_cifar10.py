# kNN and logistic regression on frozen features of CIFAR-10; probe_r18-w16_cifar10.py
# measures their geometry.
_base_ = ['../_base_/datasets/cifar10_24k.py', '../_base_/probe_r18-w16.py']

train_dataloader = dict(batch_size=256, dataset=dict(pipeline=_base_.test_pipeline))
# Five penalties instead of 45: this project's choice, for a CPU.
l2_grid = (100.0, 10.0, 1.0, 0.1, 0.01)
train_cfg = dict(
    probes=[
        dict(type='msbreg_mm.KNNProbe', ks=(20,), temperatures=(0.07,)),
        dict(type='msbreg_mm.LogisticProbe', l2_grid=l2_grid),
    ],
)
transfer = dict(
    protocol='CIFAR-10 subset: probes, 4,000 + 4,000 images at 48 px',
    description='frozen features; k = 20, T = 0.07; penalty chosen on a fifth of train',
    metrics=[('knn/top1', '20-NN', 1), ('logistic/top1', 'logistic', 1)],
)
