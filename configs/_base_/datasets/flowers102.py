# Oxford Flowers-102: 2,040 / 6,149 images.
_base_ = ['./classification_224.py']

data_root = 'data/Flowers102/'
data_files = ['jpg', 'imagelabels.mat', 'setid.mat']
train_dataloader = dict(
    dataset=dict(type='Flowers102', data_root=data_root, split='trainval')
)
val_dataloader = dict(
    dataset=dict(type='Flowers102', data_root=data_root, split='test')
)
test_dataloader = val_dataloader
