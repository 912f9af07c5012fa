# Barlow Twins; biases and normalisation layers learn at 0.0048 x batch / 256.
_base_ = [
    '../_base_/models/barlowtwins_resnet50.py',
    '../_base_/datasets/imagenet_multiview.py',
    '../_base_/schedules/lars_coslr_200e_to-0.001.py',
    '../_base_/default_runtime.py',
]

small = dict(decay_mult=0, lr_mult=0.024, lars_exclude=True)
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'bn': small, 'bias': small, 'downsample.1': small}),
)
