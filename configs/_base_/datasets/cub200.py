# CUB-200-2011: 200 birds, 5,994 / 5,794 images.
_base_ = ['./classification_224.py']

data_root = 'data/CUB_200_2011/'
data_files = ['images', 'images.txt', 'image_class_labels.txt', 'train_test_split.txt']
train_dataloader = dict(dataset=dict(type='CUB', data_root=data_root, split='train'))
val_dataloader = dict(dataset=dict(type='CUB', data_root=data_root, split='test'))
test_dataloader = val_dataloader
