# Mask R-CNN for a CPU: ResNet-18 with 16 base channels, a 32-channel FPN, small heads,
# few proposals; the same structure and training rules as mask-rcnn_r50-fpn.py.
_base_ = ['./mask-rcnn_r50-fpn.py']

# Small images have small objects: finer anchors and earlier use of coarse levels.
# A fixed number of samples makes RoIAlign on a CPU several times faster.
roi_extractor = dict(out_channels=32, finest_scale=28, roi_layer=dict(sampling_ratio=2))
model = dict(
    backbone=dict(depth=18, base_channels=16),
    neck=dict(in_channels=[16, 32, 64, 128], out_channels=32),
    rpn_head=dict(in_channels=32, feat_channels=32, anchor_generator=dict(scales=[4])),
    roi_head=dict(
        bbox_roi_extractor=roi_extractor,
        bbox_head=dict(in_channels=32, fc_out_channels=256),
        mask_roi_extractor=roi_extractor,
        mask_head=dict(num_convs=2, in_channels=32, conv_out_channels=32),
    ),
    train_cfg=dict(
        # mmdet's rules of matching
        rpn=dict(assigner=dict(min_pos_iou=0.3)),
        rpn_proposal=dict(nms_pre=200, max_per_img=100),
        rcnn=dict(assigner=dict(match_low_quality=True), sampler=dict(num=32)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=200, max_per_img=100)),
)
