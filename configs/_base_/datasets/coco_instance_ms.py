# COCO instances with the multi-scale training of detectron2 (short side 640-800);
# tested at 800, scored by faster-coco-eval (equal numbers, several times faster), unrounded.
_base_ = ['mmdet::_base_/datasets/coco_instance.py']

train_dataloader = dict(
    sampler=dict(type='InfiniteSampler'),  # the recipes count iterations
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile', backend_args=None),
            dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
            dict(
                type='RandomChoiceResize',
                scales=[(1333, side) for side in range(640, 801, 32)],
                keep_ratio=True,
            ),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackDetInputs'),
        ]
    ),
)
val_evaluator = dict(type='msbreg_mm.ExactCocoMetric')
test_evaluator = val_evaluator
transfer = dict(metrics=[('coco/bbox_mAP', 'box AP'), ('coco/segm_mAP', 'mask AP')])
