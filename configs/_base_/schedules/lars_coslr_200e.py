# BYOL's recipe over 200 epochs, for which its authors have no preset: that of 300 epochs, as
# mmpretrain has it. LARS, 10 warm-up epochs, cosine, and neither weight decay nor adaptation
# for biases and normalisation layers. docs/pretraining_recipes.md has all sources.
optim_wrapper = dict(
    type='AmpOptimWrapper',
    loss_scale='dynamic',
    optimizer=dict(type='LARS', lr=4.8, momentum=0.9, weight_decay=1e-6),
    paramwise_cfg=dict(
        custom_keys={
            'bn': dict(decay_mult=0, lars_exclude=True),
            'bias': dict(decay_mult=0, lars_exclude=True),
            # the normalisation inside a ResNet block's downsample
            'downsample.1': dict(decay_mult=0, lars_exclude=True),
        }
    ),
)

param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-4,
        by_epoch=True,
        begin=0,
        end=10,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        T_max=190,
        by_epoch=True,
        begin=10,
        end=200,
        convert_to_iter_based=True,
    ),
]

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=200)

# lr = 0.3 x batch / 256, scaled with --auto-scale-lr
auto_scale_lr = dict(enable=False, base_batch_size=4096)
