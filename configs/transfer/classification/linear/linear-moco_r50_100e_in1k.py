_base_ = [
    '../../../_base_/linear_r50.py',
    '../../../_base_/schedules/linear_step_100e.py',
]

transfer = dict(
    protocol='ImageNet linear R50, MoCo recipe',
    description='frozen; SGD, lr 30, no weight decay, batch 256, steps at 60 and 80 of 100 epochs',
)
