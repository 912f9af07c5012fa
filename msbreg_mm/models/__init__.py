"""Models: losses, heads and self-supervised algorithms."""

from msbreg_mm.utils.upstream import import_without

# mmpretrain.models imports mmdet for one detection layer; pretraining has no
# use for it and it costs seconds at every start.
import_without('mmpretrain.models', blocked='mmdet')

from . import heads, losses, selfsup  # noqa: E402, F401
