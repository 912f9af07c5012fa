# The Caltech-101 pack: 1,980 images with a short side of 80 px, four views of 64 px.
_base_ = ['./in_memory_multiview.py']

data_root = 'data/caltech101_80px/'
train_dataloader = dict(dataset=dict(data_root=data_root, data_prefix='train'))
