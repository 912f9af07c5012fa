# The Caltech-101 pack: 99 classes, 1,980 images to train on and 594 to score.
_base_ = ['./in_memory_classification.py']

data_root = 'data/caltech101_80px/'
data_files = ['train', 'val']
train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
