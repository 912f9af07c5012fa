# BYOL on two views for twice the epochs: as many views as the MSBReg config beside it.
_base_ = [
    '../_base_/models/byol_resnet18-w16.py',
    '../_base_/datasets/caltech101_multiview.py',
    '../_base_/schedules/adamw_coslr_48e.py',
    '../_base_/default_runtime.py',
]

pipeline = _base_.train_dataloader.dataset.pipeline
pipeline[0].views[0].num_views = 2
train_dataloader = dict(dataset=dict(pipeline=pipeline))
