# Places205: 2,448,873 / 20,500 images; lists of `path label` lines in `meta/`, paths
# relative to `train/` and `val/`.
_base_ = ['./imagenet_cls.py']

data_root = 'data/Places205/'
data_files = ['train', 'val', 'meta/train.txt', 'meta/val.txt']
places = dict(_delete_=True, type='Places205', data_root=data_root)
train_dataloader = dict(
    dataset=dict(
        places,
        data_prefix='train',
        ann_file='meta/train.txt',
        pipeline=_base_.train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        places,
        data_prefix='val',
        ann_file='meta/val.txt',
        pipeline=_base_.test_pipeline,
    )
)
test_dataloader = val_dataloader
