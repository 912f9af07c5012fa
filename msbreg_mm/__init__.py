"""MSBReg self-supervised pretraining and transfer evaluation on OpenMMLab.

Importing the package provides ``mmcv._ext`` on torchvision where mmcv was
installed without its compiled ops (see :mod:`msbreg_mm.ops`); nothing heavy is
imported: the registries find the classes when a config first names them.
"""

from msbreg_mm import ops

__version__ = '0.1.0'

ops.install()
