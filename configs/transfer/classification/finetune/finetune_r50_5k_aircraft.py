_base_ = [
    '../../../_base_/datasets/aircraft.py',
    '../../../_base_/finetune_r50_mean-class.py',
]

model = dict(head=dict(num_classes=100))

transfer = dict(
    protocol='FGVC Aircraft fine-tuning R50, 5k steps, lr 0.01',
    description="nothing frozen; ssl-transfer's schedule at one learning rate",
)
