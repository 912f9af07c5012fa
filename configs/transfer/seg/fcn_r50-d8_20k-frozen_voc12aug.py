_base_ = ['./fcn_r50-d8_20k_voc12aug.py']

# This project's choice: the same recipe, only the two heads learn.
model = dict(backbone=dict(frozen_stages=4))
transfer = dict(
    protocol='VOC12aug FCN R50, 20k, frozen backbone',
    description='mmselfsup recipe with a frozen backbone, its statistics included',
)
