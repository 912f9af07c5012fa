# VOC2012 semantic segmentation, training set augmented by SBD (10,582 images), as in
# mmseg's pascal_voc12_aug.py, which mmselfsup uses; scored on val2012 (1,449 images).
_base_ = ['./segmentation.py']

data_root = 'data/VOCdevkit/VOC2012/'
voc = dict(
    type='PascalVOCDataset',
    data_root=data_root,
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
)
train_voc = dict(
    voc,
    ann_file='ImageSets/Segmentation/train.txt',
    pipeline=_base_.train_pipeline,
)
train_sbd = dict(
    train_voc,
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassAug'),
    ann_file='ImageSets/Segmentation/aug.txt',
)
train_dataloader = dict(
    dataset=dict(type='ConcatDataset', datasets=[train_voc, train_sbd])
)
val_dataloader = dict(dataset=dict(voc, ann_file='ImageSets/Segmentation/val.txt'))
test_dataloader = val_dataloader
