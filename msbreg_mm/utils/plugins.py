"""Packages of others that add to this one when a command starts."""

import os
from importlib import import_module
from importlib.metadata import entry_points

from msbreg_mm.utils.errors import OptionError

GROUP = 'msbreg_mm.plugins'
VARIABLE = 'MSBREG_PLUGINS'


def load_plugins() -> list[str]:
    """Import what adds formats, layouts or figures.

    Installed packages name a module in their entry points::

        [project.entry-points."msbreg_mm.plugins"]
        mine = "my_package.msbreg"

    and ``MSBREG_PLUGINS`` names further modules, separated by commas. What a config
    builds needs none of it: ``custom_imports`` of the config does.

    Returns:
        The modules, in the order in which they were imported.

    Raises:
        OptionError: If a module that is named cannot be imported.
    """
    names = [point.value for point in entry_points(group=GROUP)]
    names += [n.strip() for n in os.environ.get(VARIABLE, '').split(',') if n.strip()]
    for name in names:
        try:
            import_module(name)
        except ImportError as error:
            raise OptionError(
                f'the plugin {name} cannot be imported: {error}; uninstall its '
                f'package, or take it out of {VARIABLE}'
            ) from error
    return names
