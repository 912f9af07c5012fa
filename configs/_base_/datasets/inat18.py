# iNaturalist 2018: 8,142 species, 437,513 / 24,426 images; lists of `path label` lines in
# `meta/`, paths relative to `train_val2018/`.
_base_ = ['./imagenet_cls.py']

data_root = 'data/iNaturalist2018/'
data_files = ['train_val2018', 'meta/train.txt', 'meta/val.txt']
inat = dict(
    _delete_=True,
    type='CustomDataset',
    data_root=data_root,
    data_prefix='train_val2018',
)
train_dataloader = dict(
    dataset=dict(inat, ann_file='meta/train.txt', pipeline=_base_.train_pipeline)
)
val_dataloader = dict(
    dataset=dict(inat, ann_file='meta/val.txt', pipeline=_base_.test_pipeline)
)
test_dataloader = val_dataloader
