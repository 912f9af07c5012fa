# Faster R-CNN R50-C4 for VOC's 20 classes: mask-rcnn_r50-c4.py without its mask branch.
_base_ = ['./mask-rcnn_r50-c4.py']

for part, name in (
    (_base_.model.data_preprocessor, 'pad_mask'),
    (_base_.model.roi_head, 'mask_roi_extractor'),
    (_base_.model.roi_head, 'mask_head'),
    (_base_.model.train_cfg.rcnn, 'mask_size'),
    (_base_.model.test_cfg.rcnn, 'mask_thr_binary'),
):
    part.pop(name)
del part, name
model = dict(type='FasterRCNN', roi_head=dict(bbox_head=dict(num_classes=20)))
