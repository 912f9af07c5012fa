# Barlow Twins with its own learning rates (weights 0.2, biases and BN 0.0048,
# x batch / 256).
_base_ = [
    '../_base_/models/barlowtwins_resnet50.py',
    '../_base_/datasets/imagenet_multiview.py',
    '../_base_/schedules/lars_coslr_200e.py',
    '../_base_/default_runtime.py',
]

small = dict(decay_mult=0, lr_mult=0.024, lars_exclude=True)
optim_wrapper = dict(
    optimizer=dict(lr=1.6),
    paramwise_cfg=dict(custom_keys={'bn': small, 'bias': small, 'downsample.1': small}),
)
auto_scale_lr = dict(base_batch_size=2048)
