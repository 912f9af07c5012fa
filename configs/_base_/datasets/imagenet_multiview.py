# An image folder (labels, where present, are not used) seen as BYOL's two views.
_base_ = ['./multiview_loader.py']

data_root = 'data/imagenet/'

train_dataloader = dict(
    batch_size=256,
    num_workers=8,
    pin_memory=True,
    dataset=dict(
        type='CustomDataset',
        data_root=data_root,
        data_prefix='train',
        pipeline=[
            dict(type='msbreg_mm.MultiViewAugment', on_corrupt='skip'),
            dict(type='PackInputs'),
        ],
    ),
)
