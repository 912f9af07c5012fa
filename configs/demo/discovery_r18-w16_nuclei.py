_base_ = ['../_base_/discovery_r18-w16.py']

data_root = 'data/nuclei_dsb2018/'
classes = ('nucleus',)
images = dict(data_root=data_root, metainfo=dict(classes=classes))
train_dataloader = dict(dataset=images)
val_dataloader = dict(dataset=images)
transfer = dict(
    protocol='nuclei val: CorLoc, LOST k=100 and TokenCut tau=0.2 on layer4-d16 maps',
    description='24 microscope images, 1 class; frozen maps of stride 16, not keys',
)
