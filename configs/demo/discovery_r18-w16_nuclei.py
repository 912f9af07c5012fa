# CorLoc of LOST and TokenCut on the validation images, at their own size.
_base_ = ['../_base_/objects_r18-w16.py']

data_root = 'data/nuclei_dsb2018/'
classes = ('nucleus',)
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
    protocol='nuclei val: CorLoc, LOST k=100 and TokenCut tau=0.2 on layer4-d16 maps',
    description='24 microscope images, 1 class; frozen maps of stride 16, not keys',
    metrics=[
        ('lost/corloc', 'LOST CorLoc', 1),
        ('token_cut/corloc', 'TokenCut CorLoc', 1),
    ],
)
