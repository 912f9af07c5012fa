"""The resolved config of a run as data, beside the Python that mmengine writes.

Opening mmengine's ``config.py`` runs it. What reads the folder of a run, which may be
a stranger's, takes ``config.json``.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.config import Config

from msbreg_mm.runs.folder import find_scalars
from msbreg_mm.utils.errors import DamagedFileError, MissingInputError
from msbreg_mm.utils.files import load_json, write_json

CONFIG = 'config.json'
# JSON has neither tuples nor keys that are no text; mmcv tells tuples from lists.
_TUPLE, _ITEMS = '__tuple__', '__items__'


def write_run_config(folder: str | Path, cfg: Config | Mapping[str, Any]) -> Path:
    """Write a resolved config as JSON.

    Args:
        folder: ``<work_dir>/<time>/vis_data``.
        cfg: The config; classes are written by their names.

    Returns:
        The file.

    Raises:
        OSError: If it cannot be written.
    """
    file = Path(folder) / CONFIG
    write_json(file, _encode(cfg.to_dict() if isinstance(cfg, Config) else cfg))
    return file


def read_run_config(work_dir: str | Path) -> Config:
    """Read the config of a run's last attempt; nothing of it is executed.

    Args:
        work_dir: Work directory of the run.

    Returns:
        The config.

    Raises:
        MissingInputError: If there is none, as in folders of earlier versions.
        DamagedFileError: If it cannot be read.
    """
    logs = find_scalars(Path(work_dir))
    if not logs:
        raise MissingInputError(f'{work_dir} has no vis_data/scalars.json of a run')
    file = logs[-1].with_name(CONFIG)
    if not file.is_file() and file.with_name('config.py').is_file():
        raise MissingInputError(
            f'{file.parent} has no {CONFIG}: an earlier version made the run, and its '
            'config.py is a program, which is not run for a report'
        )
    content = load_json(file)
    try:
        content = _decode(content)
        if isinstance(content, dict):
            return Config(content)
    except (TypeError, ValueError, KeyError, RecursionError) as error:
        raise DamagedFileError(f'{file} is no config: {error}') from None
    raise DamagedFileError(f'{file} is no config')


@contextmanager
def registered_only() -> Iterator[None]:
    """Build from a config nothing but what is registered.

    mmengine takes a ``type`` that no registry knows for the path of a function, and
    calls it: ``dict(type='os.system', …)``.
    """
    from mmengine.registry import registry

    found = registry.get_object_from_string
    registry.get_object_from_string = lambda name: None
    try:
        yield
    finally:
        registry.get_object_from_string = found


def _encode(value: Any) -> Any:
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value):
            return {key: _encode(item) for key, item in value.items()}
        return {_ITEMS: [[_encode(k), _encode(v)] for k, v in value.items()]}
    if isinstance(value, tuple):
        return {_TUPLE: [_encode(item) for item in value]}
    if isinstance(value, (list, set, frozenset)):
        return [_encode(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, 'item'):
        return value.item()  # numpy's numbers
    name = getattr(value, '__qualname__', None)
    return f'{value.__module__}.{name}' if name else str(value)


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if list(value) == [_TUPLE]:
        return tuple(_decode(item) for item in value[_TUPLE])
    if list(value) == [_ITEMS]:
        return {_decode(k): _decode(v) for k, v in value[_ITEMS]}
    return {key: _decode(item) for key, item in value.items()}
