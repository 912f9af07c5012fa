"""Errors of bad input, which tools print without a traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class InputError(Exception):
    """Bad input: the message names it, what was expected, and what to do next."""


class MissingInputError(InputError, FileNotFoundError):
    """A file or folder that the user named is not there."""


class DamagedFileError(InputError, ValueError):
    """A file is there, but what it holds is not what such files hold."""


class NoResultsError(InputError, ValueError):
    """There is nothing to report yet."""


class OptionError(InputError, ValueError):
    """A flag or a key of the config has no acceptable value."""


@contextmanager
def short_input_errors() -> Iterator[None]:
    """Print an :class:`InputError` as one message and exit with code 2.

    Everything else is a bug and keeps its traceback.

    Raises:
        SystemExit: In place of an :class:`InputError`.
    """
    try:
        yield
    except InputError as error:
        print(f'error: {error}', file=sys.stderr)
        raise SystemExit(2) from None
