# SwAV's fine-tuning on few labels: rates times 0.2 after 12 and 16 of 20 epochs.
_base_ = ['./semisup_coslr_20e.py']

param_scheduler = [
    dict(type='MultiStepLR', by_epoch=True, milestones=[12, 16], gamma=0.2)
]
