# ViTDet's schedule for ViT-B: 100 epochs of COCO as 184,375 iterations of 64 images,
# AdamW, layer-wise decay 0.7, mixed precision (detectron2, projects/ViTDet).
train_cfg = dict(type='IterBasedTrainLoop', max_iters=184375, val_interval=60000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='AmpOptimWrapper',
    loss_scale='dynamic',
    optimizer=dict(type='AdamW', lr=1e-4, betas=(0.9, 0.999), weight_decay=0.1),
    constructor='msbreg_mm.BackboneLayerDecayConstructor',
    paramwise_cfg=dict(
        layer_decay_rate=0.7,
        norm_decay_mult=0.0,
        custom_keys={'pos_embed': dict(decay_mult=0.0)},
    ),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=250),
    dict(type='MultiStepLR', by_epoch=False, milestones=[163889, 177546], gamma=0.1),
]

auto_scale_lr = dict(enable=False, base_batch_size=64)
