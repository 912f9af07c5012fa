_base_ = ['./semisup-vicreg_r50_20e_in1k-1pct.py']

data_files = ['train', 'val', 'meta/train_10percent.txt']
train_dataloader = dict(dataset=dict(ann_file='meta/train_10percent.txt'))
optim_wrapper = dict(
    optimizer=dict(lr=0.1),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.01 / 0.1))),
)

transfer = dict(
    protocol='ImageNet 10% labels R50, VICReg recipe',
    description='nothing frozen; lr 0.01, head 0.1, cosine, 20 epochs, batch 256',
)
