_base_ = [
    '../../../_base_/semisup_r50.py',
    '../../../_base_/schedules/semisup_step_20e.py',
]

optim_wrapper = dict(
    optimizer=dict(lr=5.0),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.02 / 5.0))),
)

transfer = dict(
    protocol='ImageNet 1% labels R50, SwAV recipe',
    description='nothing frozen; lr 0.02, head 5, times 0.2 at 12 and 16 of 20 epochs, batch 256',
)
