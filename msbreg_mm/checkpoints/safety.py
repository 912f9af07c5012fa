"""What a checkpoint's pickle may ask for: harmless containers and nothing else."""

import argparse
import pickle
import pickletools
from collections import OrderedDict
from collections.abc import Callable
from typing import IO, Any

import numpy as np
from mmengine.logging.history_buffer import HistoryBuffer
from mmengine.runner.checkpoint import get_torch_safe_globals

SafeGlobals = list[Callable[..., Any] | tuple[Callable[..., Any], str]]

_PATHS = [
    f'{module}{kind}{system}Path'
    for module in ('', '_local.')
    for kind in ('', 'Pure')
    for system in ('Posix', 'Windows')
]
# What a pickle of OmegaConf names.
_UNREAD = (
    'omegaconf.dictconfig.DictConfig',
    'omegaconf.listconfig.ListConfig',
    'omegaconf.base.ContainerMetadata',
    'omegaconf.base.Metadata',
    *(
        f'omegaconf.nodes.{kind}Node'
        for kind in ('Any', 'Integer', 'Float', 'Boolean', 'String', 'Bytes', 'Path')
    ),
    'typing.Any',
    *(f'builtins.{kind}' for kind in ('list', 'dict', 'int', 'float', 'str', 'bool')),
)


class Unread:
    """Stands where settings were that nobody needs; keeps nothing of them."""

    def __new__(cls, *_: Any) -> 'Unread':
        """Take what the class that it stands for would take."""
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        """Drop what the object would hold."""


def _plain_dict(*_: Any) -> dict:
    return {}


def _join(*parts: str) -> str:
    # A path of another system cannot be made here, and none is needed.
    return '/'.join(map(str, parts))


def read_globals() -> SafeGlobals:
    """Harmless classes in files that :func:`open_path` accepts.

    mmengine's (see :func:`resume_globals`), the same under numpy 1's names, and
    ``argparse.Namespace``, which DINO and MAE store: a plain attribute container.
    Paths become texts, and the settings of OmegaConf (solo-learn's) are left unread.
    """
    numpy_1 = [
        (thing, f'numpy.core.multiarray.{thing.__name__}')
        for thing in _numpy_functions()
    ]
    dtypes = [type(np.dtype(code)) for code in '?bBhHiIlLqQefdSU']
    paths: SafeGlobals = [(_join, f'pathlib.{name}') for name in _PATHS]
    unread: SafeGlobals = [(Unread, name) for name in _UNREAD]
    unread.append((_plain_dict, 'collections.defaultdict'))
    return [
        *resume_globals(), *numpy_1, *dtypes, *paths, *unread, argparse.Namespace
    ]  # fmt: skip


def resume_globals() -> SafeGlobals:
    """List mmengine's safe classes, with a ``getattr`` that is safe.

    mmengine allows ``getattr`` itself, through which a pickle reaches
    ``getattr.__self__.exec``. Its own files need it for nothing but the statistics
    of ``HistoryBuffer``.
    """
    kept = [thing for thing in get_torch_safe_globals() if thing is not getattr]
    return [*kept, (_get_statistic, 'builtins.getattr')]


def _get_statistic(owner: type, name: str) -> Any:
    if owner is not HistoryBuffer or name not in ('min', 'max', 'mean', 'current'):
        what = getattr(owner, '__name__', owner)
        raise pickle.UnpicklingError(f'GLOBAL builtins.getattr({what}, {name!r})')
    return getattr(HistoryBuffer, name)


def _numpy_functions() -> list[Callable[..., Any]]:
    core = np._core if hasattr(np, '_core') else np.core
    return [core.multiarray._reconstruct, core.multiarray.scalar]


def check_memo(stream: IO[bytes]) -> None:
    """Refuse a pickle that numbers its objects beyond their count.

    The unpickler reserves memory up to the highest number: ten bytes can ask for
    hundreds of gigabytes.

    Args:
        stream: At the start of a pickle; it is put back there.

    Raises:
        pickle.UnpicklingError: If the pickle is like that.
        ValueError: If it is damaged.
    """
    start = stream.tell()
    for count, (code, argument, _) in enumerate(pickletools.genops(stream)):
        if code.name not in ('PUT', 'BINPUT', 'LONG_BINPUT'):
            continue
        if int(argument or 0) > count:
            raise pickle.UnpicklingError(f'memo entry {argument} after {count} steps')
    stream.seek(start)


class ArrayUnpickler(pickle.Unpickler):
    """Unpickles dicts of numpy arrays; any other global is an error."""

    def find_class(self, module: str, name: str) -> Any:
        """Look up what the pickle names; called by ``load``."""
        if module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
            for function in _numpy_functions():
                if function.__name__ == name:
                    return function
        allowed = {
            ('numpy', 'ndarray'): np.ndarray,
            ('numpy', 'dtype'): np.dtype,
            ('collections', 'OrderedDict'): OrderedDict,
            ('_codecs', 'encode'): _encode_latin1,
        }
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(f'GLOBAL {module}.{name} is not allowed')
        return allowed[module, name]


def _encode_latin1(text: str, encoding: str = 'latin1') -> bytes:
    # Old pickles hold bytes as text; _codecs.encode itself would load any codec.
    if encoding != 'latin1':
        raise pickle.UnpicklingError(f'GLOBAL _codecs.encode({encoding!r})')
    return text.encode('latin1')
