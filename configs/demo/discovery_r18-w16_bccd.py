# CorLoc of LOST and TokenCut on the validation images, at their own size.
_base_ = ['../_base_/objects_r18-w16.py']

data_root = 'data/bccd_voc/'
classes = ('RBC', 'WBC', 'Platelets')
images = dict(data_root=data_root, metainfo=dict(classes=classes))
train_dataloader = dict(
    dataset=dict(images, ann_file='annotations_coco/instances_train.json')
)
val_dataloader = dict(
    dataset=dict(images, ann_file='annotations_coco/instances_val.json')
)
train_cfg = dict(
    type='msbreg_mm.ObjectProbeLoop',
    probes=[
        dict(type='msbreg_mm.LostProbe', facet='map'),
        dict(type='msbreg_mm.TokenCutProbe', facet='map'),
    ],
)
transfer = dict(
    protocol='bccd val: CorLoc, LOST k=100 and TokenCut tau=0.2 on layer4-d16 maps',
    description='87 images of blood cells, 3 classes; frozen maps of stride 16, not keys',
    metrics=[
        ('lost/corloc', 'LOST CorLoc', 1),
        ('token_cut/corloc', 'TokenCut CorLoc', 1),
    ],
)
