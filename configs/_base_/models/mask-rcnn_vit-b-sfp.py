# Mask R-CNN with ViT-B/16 and a simple feature pyramid (ViTDet; Li et al. 2022, arXiv
# 2203.16527; detectron2, projects/ViTDet). What differs from ViTDet: every block
# attends globally, where ViTDet has windows of 14 x 14 in eight of its twelve blocks,
# and there are no relative position embeddings. Both would add parameters or rules
# that no pretraining knows; global attention costs more memory and time.
_base_ = ['./mask-rcnn_r50-fpn.py']

norm_cfg = dict(type='mmpretrain.LN2d', eps=1e-6)
model = dict(
    # Images are at most 1024 x 1024: all become exactly that, so that a position has
    # the same embedding in training and testing.
    data_preprocessor=dict(pad_size_divisor=1024),
    backbone=dict(
        _delete_=True,
        type='mmpretrain.VisionTransformer',
        arch='base',
        img_size=1024,  # position embeddings of a checkpoint are interpolated
        patch_size=16,
        drop_path_rate=0.1,
        out_type='featmap',
        with_cls_token=False,
        final_norm=False,  # the pyramid normalises
    ),
    neck=dict(
        _delete_=True,
        type='msbreg_mm.SimpleFeaturePyramid',
        in_channels=768,
        out_channels=256,
        norm_cfg=norm_cfg,
    ),
    rpn_head=dict(num_convs=2),
    roi_head=dict(
        bbox_head=dict(type='Shared4Conv1FCBBoxHead', norm_cfg=norm_cfg),
        mask_head=dict(norm_cfg=norm_cfg),
    ),
)
