# Caltech-101: 102 classes with the background, 3,060 rows of 2,416 images / 6,728
# images (mmpretrain's lists: 30 a class, drawn with replacement).
_base_ = ['./classification_224.py']

data_root = 'data/caltech-101/'
data_files = ['101_ObjectCategories', 'meta/train.txt', 'meta/test.txt']
train_dataloader = dict(
    dataset=dict(type='Caltech101', data_root=data_root, split='train')
)
val_dataloader = dict(
    dataset=dict(type='Caltech101', data_root=data_root, split='test')
)
test_dataloader = val_dataloader
