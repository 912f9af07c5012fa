"""Shows Sphinx's roles in docstrings as code; an extension of griffe for the site."""

import re
from typing import Any

import griffe

# :class:`~msbreg_mm.engine.hooks.TrajectoryHook` → `TrajectoryHook`
_ROLE = re.compile(r':(?:py:)?\w+:`(~?)([^`]+)`')
_MATH = re.compile(r'\.\. math::\n+((?:[ \t]+\S.*\n?|\n)+)')


def plain(text: str) -> str:
    """Turn roles into code, and displayed formulas into code blocks."""
    text = _MATH.sub(lambda match: f'```\n{match[1].rstrip()}\n```\n', text)
    return _ROLE.sub(
        lambda match: f'`{match[2].rpartition(".")[2] if match[1] else match[2]}`', text
    )


class Roles(griffe.Extension):
    """Applies :func:`plain` to every docstring."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite the docstring of an object."""
        if obj.docstring:
            obj.docstring.value = plain(obj.docstring.value)
