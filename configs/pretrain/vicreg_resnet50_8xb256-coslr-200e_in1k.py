# VICReg with the optimizer of its authors' 1000 epochs: LARS, lr 0.2 x batch / 256,
# weight decay 1e-6; BYOL's views.
_base_ = [
    '../_base_/models/vicreg_resnet50.py',
    '../_base_/datasets/imagenet_multiview.py',
    '../_base_/schedules/lars_coslr_200e.py',
    '../_base_/default_runtime.py',
]

optim_wrapper = dict(optimizer=dict(lr=1.6, weight_decay=1e-6))
auto_scale_lr = dict(base_batch_size=2048)
