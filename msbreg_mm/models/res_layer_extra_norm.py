"""Registers mmpretrain's ``ResLayerExtraNorm`` with mmdet; C4 configs import this.

mmpretrain registers it while it is imported, and only if mmdet can be imported then.
Pretraining leaves mmdet out (:func:`msbreg_mm.utils.upstream.import_scope`), so in a
process that pretrained before it has to be done again.
"""

import importlib

from msbreg_mm.utils.upstream import import_quietly

import_quietly('mmdet.models')
_module = import_quietly('mmpretrain.models.utils.res_layer_extra_norm')
if _module.ResLayerExtraNorm is None:
    importlib.reload(_module)
