# Half of Oxford Flowers-17: 510 images to train on and 170 to score.
_base_ = ['./in_memory_classification.py']

data_root = 'data/flowers17_80px_a/'
data_files = ['train', 'val']
train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
