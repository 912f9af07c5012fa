# The same images and augmentations as two views, for methods that take two.
_base_ = ['./cifar10_multiview.py']

train_dataloader = dict(dataset=dict(pipeline=_base_.train_dataloader.dataset.pipeline))
train_dataloader['dataset']['pipeline'][0]['views'][0]['num_views'] = 2
