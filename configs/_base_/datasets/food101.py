# Food-101: 75,750 / 25,250 images.
_base_ = ['./classification_224.py']

data_root = 'data/food-101/'
data_files = ['images', 'meta/train.txt', 'meta/test.txt']
train_dataloader = dict(
    dataset=dict(type='Food101', data_root=data_root, split='train')
)
val_dataloader = dict(dataset=dict(type='Food101', data_root=data_root, split='test'))
test_dataloader = val_dataloader
