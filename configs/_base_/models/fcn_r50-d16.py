# MoCo's FCN-16s (He et al., 2020, arXiv 1911.05722, appendix A.5): conv5 with dilation 2
# and stride 1, two 3x3 convolutions of 256 channels with dilation 6, no second loss.
# The appendix names no dropout, so there is none.
_base_ = ['./fcn_r50-d8.py']

model = dict(
    data_preprocessor=dict(size=(513, 513)),
    backbone=dict(
        dilations=(1, 1, 1, 2), strides=(1, 2, 2, 1), contract_dilation=False
    ),
    decode_head=dict(channels=256, dilation=6, concat_input=False, dropout_ratio=0.0),
    auxiliary_head=None,
)
