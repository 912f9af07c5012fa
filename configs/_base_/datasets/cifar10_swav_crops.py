# The same images as two views of 48 px and four of 24 px.
_base_ = ['./cifar10_two_views.py']

pipeline = _base_.train_dataloader.dataset.pipeline
pipeline[0]['views'] = [
    pipeline[0]['views'][0],
    dict(pipeline[0]['views'][0], num_views=4, size=24, crop_scale=(0.05, 0.2)),
]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
