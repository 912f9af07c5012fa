# CorLoc of LOST and TokenCut on the validation images, at their own size, by a ResNet-18
# of 16 base channels whose last stage is dilated to a stride of 16, as LOST's code has its
# ResNet-50. A data file adds data_root and classes.
_base_ = ['./probe_runtime.py']

mean, std = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
data_preprocessor = dict(mean=mean, std=std, to_rgb=True)
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='ResNet',
        depth=18,
        stem_channels=16,
        base_channels=16,
        zero_init_residual=False,
        out_indices=(0, 1, 2, 3),
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 2),
    ),
)
dataset = dict(
    type='mmdet.CocoDataset',
    data_prefix=dict(img='JPEGImages/'),
    pipeline=[dict(type='LoadImageFromFile'), dict(type='PackInputs')],
)
loader = dict(
    batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False)
)
train_dataloader = dict(
    dataset=dict(dataset, ann_file='annotations_coco/instances_train.json'), **loader
)
val_dataloader = dict(
    dataset=dict(dataset, ann_file='annotations_coco/instances_val.json'), **loader
)
train_cfg = dict(
    type='msbreg_mm.ObjectProbeLoop',
    probes=[
        dict(type='msbreg_mm.LostProbe', facet='map'),
        dict(type='msbreg_mm.TokenCutProbe', facet='map'),
    ],
)
transfer = dict(
    metrics=[
        ('lost/corloc', 'LOST CorLoc', 1),
        ('token_cut/corloc', 'TokenCut CorLoc', 1),
    ],
)
