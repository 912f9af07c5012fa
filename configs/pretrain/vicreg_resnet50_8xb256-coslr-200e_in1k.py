# VICReg with the optimizer of its authors' 1000 epochs and BYOL's views.
_base_ = [
    '../_base_/models/vicreg_resnet50.py',
    '../_base_/datasets/imagenet_multiview.py',
    '../_base_/schedules/lars_coslr_200e_to-0.001.py',
    '../_base_/default_runtime.py',
]
