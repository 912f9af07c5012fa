_base_ = ['./faster-rcnn_r50-c4_24k_voc0712.py']

# mmselfsup trains without precise BN, and normalisation decays.
custom_hooks = []
optim_wrapper = dict(paramwise_cfg=dict(_delete_=True))

transfer = dict(
    protocol='VOC07+12 Faster R-CNN R50-C4, 24k (mmselfsup)',
    description='as MoCo without precise BN, and with weight decay on normalisation',
)
