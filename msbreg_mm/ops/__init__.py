"""mmcv's compiled ops on torchvision, for an mmcv installed without them.

mmcv's package on the registries has no ``mmcv._ext``, the compiled module behind
``mmcv.ops``, and mmdet does not import without it. :func:`install` offers a
replacement of that name (:mod:`msbreg_mm.ops.mmcv_ext`) that calls the ops which
torchvision ships compiled for CPU and CUDA, and plain PyTorch where it has none.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType


class _ExtFinder:
    """Finds ``mmcv._ext`` in this package when no other finder has found it."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname != 'mmcv._ext':
            return None
        source = Path(__file__).with_name('mmcv_ext.py')
        return spec_from_file_location(fullname, source)


_FINDER = _ExtFinder()


def install() -> None:
    """Let ``mmcv._ext`` be found in this package where mmcv has no compiled one.

    Nothing is imported until somebody asks for ``mmcv._ext``. The finder is the
    last one to be asked, so a compiled module always wins, a broken one too, whose
    import error then tells what is wrong with it. Calling it again does nothing.
    """
    if _FINDER not in sys.meta_path:
        sys.meta_path.append(_FINDER)
