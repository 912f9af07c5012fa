# Oxford-IIIT Pets: 37 breeds, 3,680 / 3,669 images.
_base_ = ['./classification_224.py']

data_root = 'data/Oxford-IIIT_Pets/'
data_files = ['images', 'annotations/trainval.txt', 'annotations/test.txt']
train_dataloader = dict(
    dataset=dict(type='OxfordIIITPet', data_root=data_root, split='trainval')
)
val_dataloader = dict(
    dataset=dict(type='OxfordIIITPet', data_root=data_root, split='test')
)
test_dataloader = val_dataloader
