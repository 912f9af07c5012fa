_base_ = [
    '../../_base_/datasets/coco_instance_lsj.py',
    '../../_base_/schedules/detection_vitdet_100e.py',
    '../../_base_/detection_iter_runtime.py',
    '../../_base_/models/mask-rcnn_vit-b-sfp.py',
]

custom_imports = dict(imports=[*_base_.detection_imports, 'mmpretrain.models'])

transfer = dict(
    protocol='COCO Mask R-CNN ViT-B simple feature pyramid, 100 ep',
    description='ViTDet recipe with global attention in every block; batch 64, LSJ 1024',
)
