_base_ = ['./adamw_coslr_24e.py']

param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.01,
        by_epoch=True,
        begin=0,
        end=4,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        T_max=44,
        by_epoch=True,
        begin=4,
        end=48,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=48)
