"""Imports of upstream packages: lean, and without their chatter."""

import contextlib
import importlib
import importlib.util
import io
import logging
import re
import sys
import warnings
from types import ModuleType
from typing import Any

from msbreg_mm.utils.errors import OptionError


def import_quietly(name: str, without: str | None = None) -> ModuleType:
    """Import an upstream module and drop what it prints.

    mmdet and mmpretrain print a line for each optional package that is not
    installed. What is printed before an import fails is shown.

    Args:
        name: Module to import, e.g. ``'mmpretrain.models'``.
        without: Top-level package that ``name`` imports in a ``try … except
            ImportError`` and that shall count as not installed. Nothing is left
            out if it has been imported before: then it costs nothing any more,
            and detection wants what ``name`` registers with it.

    Returns:
        The imported module.
    """
    blocked = without is not None and without not in sys.modules
    if blocked:
        # None in sys.modules makes `import` raise ModuleNotFoundError.
        sys.modules[without] = None  # type: ignore[assignment, index]
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            return importlib.import_module(name)
    except BaseException:
        sys.stdout.write(printed.getvalue())
        raise
    finally:
        if blocked:
            del sys.modules[without]  # type: ignore[arg-type]


def import_scope(scope: str) -> None:
    """Import what a config of this scope builds from, lean and quiet.

    Args:
        scope: ``default_scope`` of a config; ``'mmpretrain'`` and ``'mmseg'`` come
            without mmdet, which costs seconds (a segmentor that needs it names
            ``'mmdet.models'`` in ``custom_imports``). Other scopes are left to
            mmengine.

    Raises:
        OptionError: If ``scope`` is ``'mmseg'`` and it is not installed.
    """
    if scope == 'mmpretrain':
        # For one detection layer mmpretrain.models imports all of mmdet.
        import_quietly('mmpretrain.models', without='mmdet')
        import_quietly('mmpretrain.datasets', without='mmdet')
    elif scope == 'mmdet':
        import_quietly('mmdet.datasets')
    elif scope == 'mmseg':
        if importlib.util.find_spec('mmseg') is None:
            raise OptionError(
                'semantic segmentation needs onedl-mmsegmentation, which is not '
                "installed: pip install 'msbreg_mm[seg]'"
            )
        import_quietly('mmseg.models', without='mmdet')
        import_quietly('mmseg.datasets')
        # The recipes average the loss over all pixels, the ignored ones included,
        # and score two classes as they score more.
        for text in ('Default ``avg_non_ignore`` is False', 'For binary segmentation'):
            warnings.filterwarnings('ignore', message=text)


def unwrap(model: Any) -> Any:
    """Return the model inside mmengine's wrappers (DDP, FSDP), or the model itself."""
    from mmengine.model import is_model_wrapper

    while is_model_wrapper(model):
        model = model.module
    return model


def mro_names(thing: object) -> list[str]:
    """Name the classes of an object, so that asking imports no package."""
    return [cls.__name__ for cls in type(thing).__mro__]


def format_configs_once() -> None:
    """Let mmengine format the same config once, not once for each place it writes to.

    A start of a training writes its config to the log, to the work directory and to the
    visualizer, each by yapf anew: five times for a detector.
    """
    from yapf.yapflib import yapf_api

    format_code = yapf_api.FormatCode
    if hasattr(format_code, 'formatted'):
        return
    formatted: dict[str, Any] = {}

    def once(text: str, *args: Any, **kwargs: Any) -> Any:
        if text not in formatted:
            formatted.clear()  # the last one is enough
            formatted[text] = format_code(text, *args, **kwargs)
        return formatted[text]

    once.formatted = formatted  # type: ignore[attr-defined]
    yapf_api.FormatCode = once


class UpstreamNoise(logging.Filter):
    """Drops log lines of upstream packages that users can do nothing about."""

    patterns = re.compile(
        # every frozen parameter, i.e. the whole target network
        r'is skipped since its requires_grad=False'
        # one line for every bias and normalisation layer
        r'|paramwise_options -- '
        # mmengine's own use of what it deprecates
        r'|"FileClient" will be deprecated'
        r'|"HardDiskBackend" is the alias'
        # mmdet and mmpretrain have no functions of their own
        r'|in the "function" registry tree'
        # mmseg's metric: its names (mIoU, mAcc) need no prefix
        r'|The prefix is not set in metric class IoUMetric'
    )

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the line is worth showing."""
        return not self.patterns.search(record.getMessage())
