_base_ = ['./fcn_r50-d8_40k_cityscapes.py']

# This project's choice: the same recipe, only the two heads learn.
model = dict(backbone=dict(frozen_stages=4))
transfer = dict(
    protocol='Cityscapes FCN R50, 40k, frozen backbone',
    description='mmselfsup recipe with a frozen backbone, its statistics included',
)
