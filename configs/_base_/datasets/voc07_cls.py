# VOC2007 classification: 20 classes, several an image, 5,011 / 4,952 images. The
# probes and metrics are told which objects are marked difficult.
_base_ = ['./classification_224.py']

data_root = 'data/VOCdevkit/VOC2007/'
data_files = [
    'JPEGImages',
    'Annotations',
    'ImageSets/Main/trainval.txt',
    'ImageSets/Main/test.txt',
]
test_pipeline = [
    *_base_.test_pipeline[:-1],
    dict(type='PackInputs', meta_keys=('img_path', 'gt_label_difficult')),
]
voc = dict(type='VOC', data_root=data_root)
train_dataloader = dict(dataset=dict(voc, split='trainval'))
val_dataloader = dict(dataset=dict(voc, split='test', pipeline=test_pipeline))
test_dataloader = val_dataloader
