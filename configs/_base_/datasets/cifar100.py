# CIFAR-100, as cifar10.py.
_base_ = ['./cifar10.py']

data_root = 'data/cifar100/'
data_files = ['cifar-100-python/train', 'cifar-100-python/test']
train_dataloader = dict(dataset=dict(type='CIFAR100', data_root=data_root))
val_dataloader = dict(dataset=dict(type='CIFAR100', data_root=data_root))
test_dataloader = val_dataloader
