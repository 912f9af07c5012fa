# Mask R-CNN R50-C4 as MoCo trains it: normalisation everywhere, one more after res5,
# nothing frozen, torchvision's (pytorch) strides and pixel scale.
_base_ = ['mmdet::_base_/models/mask-rcnn_r50-caffe-c4.py']

norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
    ),
    backbone=dict(
        frozen_stages=-1,
        norm_cfg=norm_cfg,
        norm_eval=False,
        style='pytorch',
        init_cfg=None,
    ),
    roi_head=dict(
        shared_head=dict(
            type='ResLayerExtraNorm',
            norm_cfg=norm_cfg,
            norm_eval=False,
            style='pytorch',
        )
    ),
    # detectron2 trains every anchor (RPN.BOUNDARY_THRESH = -1), and every object has its
    # best anchors, however little they overlap. mmdet's 0.3 gives small objects none.
    train_cfg=dict(rpn=dict(allowed_border=-1, assigner=dict(min_pos_iou=1e-6))),
)
