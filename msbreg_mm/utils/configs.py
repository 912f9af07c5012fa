"""The shipped configs: where they are, and their names from any folder.

In a checkout they stand in ``configs/``, in an installed package below
``msbreg_mm/.mim``, where mmengine looks for ``_base_ = ['msbreg_mm::pretrain/…']``.
"""

from pathlib import Path

from mmengine.config.utils import MODULE2PACKAGE

PACKAGE = 'msbreg_mm'
CONFIG_ROOT = (Path(__file__).parents[1] / '.mim' / 'configs').resolve()


def register() -> None:
    """Tell mmengine of the package; it knows only its own projects."""
    MODULE2PACKAGE.setdefault(PACKAGE, PACKAGE)


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
