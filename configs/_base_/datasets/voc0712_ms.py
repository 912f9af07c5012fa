# VOC detection as MoCo has it: trained on trainval 2007 and 2012 with a short side of
# 480-800, tested on test 2007 at 800; 11-point AP, averaged over IoU .50:.95. Boxes
# and objects are detectron2's, so that those marked difficult are trained on.
_base_ = ['mmdet::_base_/datasets/voc0712.py']

train_pipeline = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='RandomChoiceResize',
        scales=[(1333, side) for side in range(480, 801, 32)],
        keep_ratio=True,
    ),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(
    sampler=dict(type='InfiniteSampler'),  # the recipe counts iterations
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        ignore_keys=['dataset_type'],  # its only difference between the years
        datasets=[
            dict(
                type='msbreg_mm.VOCDetectionDataset',
                data_root=_base_.data_root,
                ann_file=f'{year}/ImageSets/Main/trainval.txt',
                data_prefix=dict(sub_data_root=f'{year}/'),
                filter_cfg=dict(filter_empty_gt=True, min_size=32),
                pipeline=train_pipeline,
            )
            for year in ('VOC2007', 'VOC2012')
        ],
    ),
)
_base_.val_dataloader.dataset.pipeline[1].scale = (1333, 800)
val_dataloader = dict(dataset=dict(type='msbreg_mm.VOCDetectionDataset'))
_base_.test_dataloader.dataset.pipeline[1].scale = (1333, 800)
test_dataloader = val_dataloader

val_evaluator = dict(
    type='msbreg_mm.ExactVOCMetric',
    metric='mAP',
    eval_mode='11points',
    iou_thrs=[percent / 100 for percent in range(50, 100, 5)],
)
test_evaluator = val_evaluator
transfer = dict(
    metrics=[
        ('pascal_voc/AP50', 'AP50'),
        ('pascal_voc/mAP', 'AP'),
        ('pascal_voc/AP75', 'AP75'),
    ],
)
