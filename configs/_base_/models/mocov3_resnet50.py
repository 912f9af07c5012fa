# mmpretrain's MoCo v3 on a ResNet: BYOL's two heads, with other last layers.
_base_ = ['./byol_resnet50.py']

temperature = 1.0
plain = dict(with_bias=False, with_last_bn_affine=False, with_last_bias=False)
model = dict(
    type='MoCoV3',
    neck=dict(**plain, with_last_bn=True),
    head=dict(
        type='MoCoV3Head',
        predictor=plain,
        loss=dict(type='CrossEntropyLoss', loss_weight=2 * temperature),
        temperature=temperature,
    ),
)
