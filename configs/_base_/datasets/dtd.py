# Describable Textures: 47 classes, 3,760 / 1,880 images (split 1).
_base_ = ['./classification_224.py']

data_root = 'data/dtd/'
data_files = ['images', 'imdb/imdb.mat']
train_dataloader = dict(dataset=dict(type='DTD', data_root=data_root, split='trainval'))
val_dataloader = dict(dataset=dict(type='DTD', data_root=data_root, split='test'))
test_dataloader = val_dataloader
