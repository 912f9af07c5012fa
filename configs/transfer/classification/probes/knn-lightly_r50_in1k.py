_base_ = ['./knn_r50_in1k.py']

train_cfg = dict(
    probes=[dict(type='msbreg_mm.KNNProbe', ks=(200,), temperatures=(0.1,))]
)

transfer = dict(
    protocol='ImageNet kNN, k = 200, T = 0.1 (lightly)',
    description='weighted neighbours of frozen features',
    metrics=[('knn/top1', 'top-1', 1)],
)
