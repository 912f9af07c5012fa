_base_ = [
    '../../_base_/datasets/voc0712_ms.py',
    '../../_base_/schedules/detection_24k.py',
    '../../_base_/detection_c4_runtime.py',
    '../../_base_/models/faster-rcnn_r50-c4.py',
]

transfer = dict(
    protocol='VOC07+12 Faster R-CNN R50-C4, 24k (MoCo)',
    description='MoCo: SyncBN everywhere, extra norm after res5, precise BN, 24k iterations',
    gpu_seconds=(8 * 0.551, '8 V100, detectron2 model zoo'),
)
