# Mask R-CNN R50-FPN, recipe (b) of docs/protocols.md: recipe (a) with a box head of
# four convolutions and one linear layer, and normalisation in box and mask head.
_base_ = ['./mask-rcnn_r50-fpn.py']

norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    roi_head=dict(
        bbox_head=dict(type='Shared4Conv1FCBBoxHead', norm_cfg=norm_cfg),
        mask_head=dict(norm_cfg=norm_cfg),
    )
)
