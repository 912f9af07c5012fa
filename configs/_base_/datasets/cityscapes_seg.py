# Cityscapes semantic segmentation: 2,975 images of train_fine, 500 of val, 19 classes;
# resized and cropped as in mmseg's cityscapes_769x769.py, which mmselfsup uses.
_base_ = ['./segmentation.py']

data_root = 'data/cityscapes/'
train_pipeline = _base_.train_pipeline
train_pipeline[2].scale = (2049, 1025)
train_pipeline[3].crop_size = (769, 769)
_base_.val_dataloader.dataset.pipeline[1].scale = (2049, 1025)

cityscapes = dict(type='CityscapesDataset', data_root=data_root)
train_dataloader = dict(
    batch_size=2,
    num_workers=2,
    dataset=dict(
        cityscapes,
        data_prefix=dict(img_path='leftImg8bit/train', seg_map_path='gtFine/train'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    dataset=dict(
        cityscapes,
        data_prefix=dict(img_path='leftImg8bit/val', seg_map_path='gtFine/val'),
        pipeline=_base_.val_dataloader.dataset.pipeline,
    )
)
test_dataloader = val_dataloader
