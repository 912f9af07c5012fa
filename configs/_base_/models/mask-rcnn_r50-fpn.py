# Mask R-CNN R50-FPN, recipe (a) of docs/protocols.md: normalisation everywhere up to
# the FPN, nothing frozen, standard heads. The checkpoint comes from --checkpoint.
_base_ = ['mmdet::_base_/models/mask-rcnn_r50_fpn.py']

norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    backbone=dict(frozen_stages=-1, norm_cfg=norm_cfg, norm_eval=False, init_cfg=None),
    neck=dict(norm_cfg=norm_cfg),
    # As in detectron2, every object has its best anchors, however little they overlap
    # (mmdet's 0.3 gives small objects none), and a proposal is of the object that it
    # overlaps most.
    train_cfg=dict(
        rpn=dict(assigner=dict(min_pos_iou=1e-6)),
        rcnn=dict(assigner=dict(match_low_quality=False)),
    ),
)
