_base_ = ['./faster-rcnn_r50-c4_24k_voc0712.py']

optim_wrapper = dict(optimizer=dict(lr=0.1))
_base_.param_scheduler[0].update(start_factor=0.3333, end=1000)

transfer = dict(
    protocol='VOC07+12 Faster R-CNN R50-C4, 24k (VISSL, SimCLR and SwAV)',
    description="as MoCo with VISSL's rate for SimCLR and SwAV: 0.1, 1,000 iterations of warm-up from 1/3",
)
