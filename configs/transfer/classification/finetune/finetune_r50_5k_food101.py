_base_ = ['../../../_base_/datasets/food101.py', '../../../_base_/finetune_r50.py']

model = dict(head=dict(num_classes=101))

transfer = dict(
    protocol='Food-101 fine-tuning R50, 5k steps, lr 0.01',
    description="nothing frozen; ssl-transfer's schedule at one learning rate",
)
