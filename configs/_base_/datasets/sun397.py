# SUN397: 397 scenes, 19,850 / 19,850 images (the first of its ten splits). Pillow decodes
# them: some files are no JPEG, although their names say so.
_base_ = ['./classification_224.py']

data_root = 'data/SUN397/'
data_files = ['SUN397', 'Partitions/Training_01.txt', 'Partitions/Testing_01.txt']
load = dict(type='LoadImageFromFile', imdecode_backend='pillow')
train_pipeline = [load, *_base_.train_pipeline[1:]]
test_pipeline = [load, *_base_.test_pipeline[1:]]
sun397 = dict(type='SUN397', data_root=data_root)
train_dataloader = dict(dataset=dict(sun397, split='train', pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(sun397, split='test', pipeline=test_pipeline))
test_dataloader = val_dataloader
