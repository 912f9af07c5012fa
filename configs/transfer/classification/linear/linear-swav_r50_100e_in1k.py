_base_ = [
    '../../../_base_/linear_r50.py',
    '../../../_base_/schedules/linear_coslr_100e.py',
]

transfer = dict(
    protocol='ImageNet linear R50, SwAV and Barlow Twins recipe',
    description='frozen; SGD, lr 0.3, weight decay 1e-6, batch 256, cosine, 100 epochs',
)
