# Nuclei or background: one run of the study in docs/results/predict.md.
_base_ = ['../demo/fcn_r18-w16_400i_nuclei.py']

train_cfg = dict(max_iters=150, val_interval=150)
param_scheduler = [dict(type='PolyLR', power=0.9, end=150, by_epoch=False)]
transfer = dict(
    protocol='predict, nuclei: FCN R18-w16, 60 images, 150 iterations',
    description='real microscope images, two classes, nothing frozen, AdamW',
    metrics=[('mIoU', 'mIoU', 1)],
)
