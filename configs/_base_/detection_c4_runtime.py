# The same with precise BN and the layer that MoCo's C4 detectors add: mmpretrain
# registers ResLayerExtraNorm with mmdet.
_base_ = ['./detection_iter_runtime.py', './detection_precise_bn.py']

custom_imports = dict(
    imports=[*_base_.detection_imports, 'msbreg_mm.models.res_layer_extra_norm']
)
