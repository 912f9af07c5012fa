_base_ = ['../_base_/discovery_r18-w16.py']

data_root = 'data/bccd_voc/'
classes = ('RBC', 'WBC', 'Platelets')
images = dict(data_root=data_root, metainfo=dict(classes=classes))
train_dataloader = dict(dataset=images)
val_dataloader = dict(dataset=images)
transfer = dict(
    protocol='bccd val: CorLoc, LOST k=100 and TokenCut tau=0.2 on layer4-d16 maps',
    description='87 images of blood cells, 3 classes; frozen maps of stride 16, not keys',
)
