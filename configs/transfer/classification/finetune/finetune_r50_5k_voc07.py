_base_ = ['../../../_base_/datasets/voc07_cls.py', '../../../_base_/finetune_r50.py']

# The loss is the mean over images and classes, as ssl-transfer's.
head = dict(
    _delete_=True,
    type='MultiLabelLinearClsHead',
    num_classes=20,
    in_channels=2048,
    loss=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1 / 20),
)
model = dict(head=head)
data_preprocessor = dict(num_classes=20, to_onehot=True)
# As in ssl-transfer, an object marked difficult is no object, in fit and score.
val_evaluator = dict(
    _delete_=True, type='msbreg_mm.VOC07AveragePrecision', difficult_as_positive=False
)
test_evaluator = val_evaluator

transfer = dict(
    protocol='VOC2007 fine-tuning R50, 5k steps, lr 0.01',
    description="nothing frozen; ssl-transfer's schedule at one learning rate",
    metrics=[('multi-label/mAP_11', '11-point mAP', 1)],
)
