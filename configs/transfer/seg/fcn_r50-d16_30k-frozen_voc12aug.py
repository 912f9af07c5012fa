_base_ = ['./fcn_r50-d16_30k_voc12aug.py']

# This project's choice: the same recipe, only the head learns.
model = dict(backbone=dict(frozen_stages=4))
transfer = dict(
    protocol='VOC12aug FCN-16s R50, 30k, frozen backbone',
    description='MoCo recipe with a frozen backbone, its statistics included',
)
