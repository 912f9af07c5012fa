# kNN and logistic regression on frozen features of 17 flowers.
_base_ = ['../_base_/datasets/flowers17_80px.py', '../_base_/probe_r18-w16.py']

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
    protocol='Flowers-17 half: probes, 510 + 170 images at 64 px',
    description='frozen features; k = 20, T = 0.07; penalty chosen on a fifth of train',
    metrics=[('knn/top1', '20-NN', 1), ('logistic/top1', 'logistic', 1)],
)
