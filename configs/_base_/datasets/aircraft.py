# FGVC Aircraft: 100 variants, 6,667 / 3,333 images.
_base_ = ['./classification_224.py']

data_root = 'data/fgvc-aircraft-2013b/'
data_files = [
    'data/images',
    'data/images_variant_trainval.txt',
    'data/images_variant_test.txt',
]
train_dataloader = dict(
    dataset=dict(type='FGVCAircraft', data_root=data_root, split='trainval')
)
val_dataloader = dict(
    dataset=dict(type='FGVCAircraft', data_root=data_root, split='test')
)
test_dataloader = val_dataloader
