_base_ = [
    '../../_base_/datasets/coco_instance_ms.py',
    '../../_base_/schedules/detection_90k.py',
    '../../_base_/detection_iter_runtime.py',
    '../../_base_/models/mask-rcnn_r50-c4.py',
]

# mmpretrain registers ResLayerExtraNorm with mmdet.
custom_imports = dict(
    imports=['msbreg_mm.engine', 'mmpretrain.models'], allow_failed_imports=False
)
