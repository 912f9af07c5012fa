_base_ = ['./mask-rcnn_r50-c4_1x_coco.py']

# conv1 to res4 with their BN statistics; res5 (roi_head.shared_head) is C4's box head:
# it starts from the checkpoint and is trained.
model = dict(backbone=dict(frozen_stages=3, norm_eval=True))

transfer = dict(
    protocol='COCO Mask R-CNN R50-C4 1x, frozen conv1 to res4',
    description='as 1x, but conv1 to res4 and their BN statistics frozen',
    gpu_seconds=None,  # not measured
)
