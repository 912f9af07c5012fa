_base_ = [
    '../../_base_/datasets/voc0712_ms.py',
    '../../_base_/schedules/detection_24k.py',
    '../../_base_/detection_iter_runtime.py',
    '../../_base_/detection_precise_bn.py',
    '../../_base_/models/faster-rcnn_r50-c4.py',
]

# mmpretrain registers ResLayerExtraNorm with mmdet.
custom_imports = dict(
    imports=['msbreg_mm.engine', 'msbreg_mm.models.res_layer_extra_norm'],
    allow_failed_imports=False,
)

transfer = dict(
    protocol='VOC07+12 Faster R-CNN R50-C4, 24k (MoCo)',
    description='MoCo: SyncBN everywhere, extra norm after res5, precise BN, 24k iterations',
    metrics=[
        ('pascal_voc/AP50', 'AP50'),
        ('pascal_voc/mAP', 'AP'),
        ('pascal_voc/AP75', 'AP75'),
    ],
    gpu_seconds=(8 * 0.551, '8 V100, detectron2 model zoo'),
)
