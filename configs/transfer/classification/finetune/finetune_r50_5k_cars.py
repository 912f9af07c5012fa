_base_ = ['../../../_base_/datasets/cars.py', '../../../_base_/finetune_r50.py']

model = dict(head=dict(num_classes=196))

transfer = dict(
    protocol='Stanford Cars fine-tuning R50, 5k steps, lr 0.01',
    description="nothing frozen; ssl-transfer's schedule at one learning rate",
)
