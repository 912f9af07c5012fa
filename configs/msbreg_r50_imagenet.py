# MSBReg, ResNet-50, 200 epochs on an ImageNet-style folder (`<data_root>/train`).
# Written for 16 GPUs x 256 images; on fewer, pass --auto-scale-lr.
_base_ = [
    '_base_/models/msbreg_resnet50.py',
    '_base_/datasets/imagenet_multiview.py',
    '_base_/schedules/lars_coslr_200e.py',
    '_base_/default_runtime.py',
]
