_base_ = [
    '../../../_base_/semisup_r50.py',
    '../../../_base_/schedules/semisup_coslr_20e.py',
]

optim_wrapper = dict(
    optimizer=dict(lr=0.5),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.005 / 0.5))),
)
sync_bn = None  # every GPU normalises its own images, as in the official code

transfer = dict(
    protocol='ImageNet 1% labels R50, Barlow Twins recipe',
    description='nothing frozen; lr 0.005, head 0.5, cosine, 20 epochs, batch 256',
)
