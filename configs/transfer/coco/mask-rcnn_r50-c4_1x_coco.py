_base_ = [
    '../../_base_/datasets/coco_instance_ms.py',
    '../../_base_/schedules/detection_90k.py',
    '../../_base_/detection_iter_runtime.py',
    '../../_base_/detection_precise_bn.py',
    '../../_base_/models/mask-rcnn_r50-c4.py',
]

# mmpretrain registers ResLayerExtraNorm with mmdet.
custom_imports = dict(
    imports=['msbreg_mm.engine', 'msbreg_mm.models.res_layer_extra_norm'],
    allow_failed_imports=False,
)

transfer = dict(
    protocol='COCO Mask R-CNN R50-C4 1x',
    description='MoCo: SyncBN everywhere, extra norm after res5, precise BN, 90k iterations',
    metrics=[('coco/bbox_mAP', 'box AP'), ('coco/segm_mAP', 'mask AP')],
    gpu_seconds=(8 * 0.584, '8 V100, detectron2 model zoo'),
)
