# Everything but the data of fine-tuning as ssl-transfer does it, scored by top-1.
_base_ = [
    './models/resnet50_cls.py',
    './schedules/finetune_coslr_5k.py',
    './classification_iter_runtime.py',
]

transfer = dict(metrics=[('accuracy/top1', 'top-1', 1)])
