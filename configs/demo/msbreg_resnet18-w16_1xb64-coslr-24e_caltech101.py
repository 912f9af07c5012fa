_base_ = [
    '../_base_/models/msbreg_resnet18-w16.py',
    '../_base_/datasets/caltech101_multiview.py',
    '../_base_/schedules/adamw_coslr_24e.py',
    '../_base_/default_runtime.py',
]
