# Nuclei or background in 60 microscope images (2018 Data Science Bowl), crops of 128 px.
_base_ = ['../_base_/models/fcn_r18-w16.py', '../_base_/segmentation_runtime.py']

load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
load += [dict(type='msbreg_mm.ForegroundMask')]
flips = dict(type='RandomFlip', prob=[0.25] * 3)
flips.update(direction=['horizontal', 'vertical', 'diagonal'])
crop = dict(type='RandomCrop', crop_size=(128, 128))
data = dict(
    type='BaseSegDataset',
    data_root='data/nuclei_dsb2018/',
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationObject'),
    img_suffix='.png',
    metainfo=dict(classes=('background', 'nucleus'), palette=[[0, 0, 0], [255, 0, 0]]),
)
data_root = data['data_root']
train = dict(data, ann_file='ImageSets/Main/train.txt')
train['pipeline'] = [*load, crop, flips, dict(type='PackSegInputs')]
val = dict(data, ann_file='ImageSets/Main/val.txt', test_mode=True)
val['pipeline'] = [*load, dict(type='PackSegInputs')]
train_dataloader = dict(batch_size=4, num_workers=0, dataset=train)
train_dataloader['sampler'] = dict(type='InfiniteSampler', shuffle=True)
val_dataloader = dict(batch_size=1, num_workers=0, dataset=val)
val_dataloader['sampler'] = dict(type='DefaultSampler', shuffle=False)
test_dataloader = val_dataloader
val_evaluator = test_evaluator = dict(
    type='msbreg_mm.KeptIoUMetric', iou_metrics=['mIoU']
)

train_cfg = dict(type='IterBasedTrainLoop', max_iters=400, val_interval=400)
val_cfg, test_cfg = dict(type='ValLoop'), dict(type='TestLoop')
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.05))
param_scheduler = [dict(type='PolyLR', power=0.9, end=400, by_epoch=False)]
default_hooks = dict(logger=dict(interval=50))
auto_scale_lr = dict(enable=False, base_batch_size=4)
transfer = dict(
    protocol='nuclei: FCN R18-w16, 60 images, 400 iterations',
    description='real microscope images, two classes, nothing frozen, AdamW',
    metrics=[('mIoU', 'mIoU', 1)],
)
