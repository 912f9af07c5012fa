"""The shipped configs: where they are, and their names from any folder.

In a checkout they stand in ``configs/``, in an installed package below
``msbreg_mm/.mim``, where mmengine looks for ``_base_ = ['msbreg_mm::pretrain/…']``.
"""

from importlib.util import find_spec
from pathlib import Path

from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE

PACKAGE = 'msbreg_mm'
CONFIG_ROOT = (Path(__file__).parents[1] / '.mim' / 'configs').resolve()


upstream_cfg_path = Config._get_cfg_path


def _get_cfg_path(cfg_path: str, filename: str) -> tuple[str, str | None]:
    """Find a base config; those of this package keep the scope of their reader.

    mmengine builds what comes from ``package::`` in the package's scope. The shipped
    configs are written in the scopes of mmpretrain, mmdet and mmseg instead.

    It also reads all metafiles of the package first, 0.25 s for a config over mmdet,
    and looks there for a name that cannot match one with ``.py``: where the file is
    there, it is taken at once.
    """
    package, separator, rest = cfg_path.partition('::')
    if package == PACKAGE and separator:
        return str(find_config(cfg_path)), None
    if separator and MODULE2PACKAGE.get(package) and rest.endswith('.py'):
        spec = find_spec(package)
        if spec is not None and spec.origin:
            file = Path(spec.origin).parent / '.mim' / 'configs' / rest
            if file.is_file():
                return str(file), package
    return upstream_cfg_path(cfg_path, filename)


def register() -> None:
    """Tell mmengine of the package; it knows only its own projects."""
    MODULE2PACKAGE.setdefault(PACKAGE, PACKAGE)  # for mmengine.hub
    Config._get_cfg_path = staticmethod(_get_cfg_path)  # type: ignore[method-assign]


def find_config(name: str | Path) -> Path:
    """Turn the name of a shipped config into its path.

    Args:
        name: ``msbreg_mm::folder/file``, with or without ``.py``; anything else is a
            path and stays one.
    """
    package, separator, rest = str(name).partition('::')
    if not separator or package != PACKAGE:
        return Path(name)
    return CONFIG_ROOT / (rest if rest.endswith('.py') else f'{rest}.py')
