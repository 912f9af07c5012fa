# CIFAR-10, the python version: 50,000 / 10,000 images of 32 px, enlarged to 224 px.
# Nothing is downloaded.
_base_ = ['./classification_224.py']

data_root = 'data/cifar10/'
data_files = ['cifar-10-batches-py/data_batch_1', 'cifar-10-batches-py/test_batch']
data_preprocessor = dict(to_rgb=False)  # they are RGB
train_pipeline = _base_.train_pipeline[1:]  # and no files
test_pipeline = _base_.test_pipeline[1:]
cifar = dict(type='CIFAR10', data_root=data_root, download=False)
train_dataloader = dict(dataset=dict(cifar, split='train', pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(cifar, split='test', pipeline=test_pipeline))
test_dataloader = val_dataloader
