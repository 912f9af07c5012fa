# Mask R-CNN R50-FPN, recipe (a) of docs/protocols.md: normalisation everywhere up to
# the FPN, nothing frozen, standard heads. The checkpoint comes from --checkpoint.
_base_ = ['mmdet::_base_/models/mask-rcnn_r50_fpn.py']

norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    backbone=dict(frozen_stages=-1, norm_cfg=norm_cfg, norm_eval=False, init_cfg=None),
    neck=dict(norm_cfg=norm_cfg),
)
