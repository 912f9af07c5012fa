_base_ = ['./fcn_r50-d16_90k_cityscapes.py']

# This project's choice: the same recipe, only the head learns.
model = dict(backbone=dict(frozen_stages=4))
transfer = dict(
    protocol='Cityscapes FCN-16s R50, 90k, frozen backbone',
    description='MoCo recipe with a frozen backbone, its statistics included',
)
