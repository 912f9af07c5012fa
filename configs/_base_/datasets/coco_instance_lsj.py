# COCO instances with large-scale jitter (0.1 to 2.0) on a canvas of 1024 x 1024, as
# ViTDet trains; tested with the long side at 1024 on the same canvas, which the
# model's pad_size_divisor makes.
_base_ = ['mmdet::_base_/datasets/coco_instance.py']

canvas = (1024, 1024)
train_dataloader = dict(
    batch_size=4,  # 16 GPUs make the 64 images of the schedule
    sampler=dict(type='InfiniteSampler'),
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile', backend_args=None),
            dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
            dict(
                type='RandomResize',
                scale=canvas,
                ratio_range=(0.1, 2.0),
                keep_ratio=True,
            ),
            dict(
                type='RandomCrop',
                crop_type='absolute_range',
                crop_size=canvas,
                recompute_bbox=True,
                allow_negative_crop=True,
            ),
            dict(type='FilterAnnotations', min_gt_bbox_wh=(1e-2, 1e-2)),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackDetInputs'),
        ]
    ),
)
_base_.val_dataloader.dataset.pipeline[1].scale = canvas
_base_.test_dataloader.dataset.pipeline[1].scale = canvas
val_evaluator = dict(type='msbreg_mm.ExactCocoMetric')
test_evaluator = val_evaluator
transfer = dict(metrics=[('coco/bbox_mAP', 'box AP'), ('coco/segm_mAP', 'mask AP')])
