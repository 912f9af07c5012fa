# 4,000 CIFAR-10 images (32 px) as four views of 48 px; `<data_root>/train.npz` holds the JPEGs
# (arrays jpeg, offset, label).
_base_ = ['./in_memory_multiview.py']

data_root = 'data/cifar10_24k/'
train_dataloader = dict(
    dataset=dict(data_root=data_root, ann_file='train.npz', indices=4000)
)
train_dataloader['dataset']['pipeline'] = _base_.train_dataloader.dataset.pipeline
train_dataloader['dataset']['pipeline'][0]['views'][0]['size'] = 48
