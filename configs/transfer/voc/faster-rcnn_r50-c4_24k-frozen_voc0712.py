_base_ = ['./faster-rcnn_r50-c4_24k_voc0712.py']

# conv1 to res4 with their BN statistics; res5 (roi_head.shared_head) is C4's box head:
# it starts from the checkpoint and is trained.
model = dict(backbone=dict(frozen_stages=3, norm_eval=True))

transfer = dict(
    protocol='VOC07+12 Faster R-CNN R50-C4, 24k, frozen conv1 to res4',
    description='as MoCo, but conv1 to res4 and their BN statistics frozen',
    gpu_seconds=None,  # not measured
)
