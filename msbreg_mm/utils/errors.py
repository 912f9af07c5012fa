"""Errors of bad input, which tools print without a traceback."""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from msbreg_mm.utils.console import make_printable

# Set to 1, tools show the traceback of expected errors, too.
DEBUG = 'MSBREG_DEBUG'
# Exit code of a training that a signal has ended: it is saved and can be resumed.
# EX_TEMPFAIL of sysexits.h, try again later.
RESUME_CODE = 75


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


class OutputError(InputError, OSError):
    """A file cannot be written; what was there before is untouched."""


@contextmanager
def short_input_errors(debug: bool | None = None) -> Iterator[None]:
    """Print an :class:`InputError` as one message and exit with code 2.

    Everything else is a bug and keeps its traceback. This is the one place that
    decides so; every tool runs in it. It also makes the console printable
    (:func:`~msbreg_mm.utils.console.make_printable`).

    Args:
        debug: Print the traceback of an :class:`InputError`, too; by default if the
            environment says ``MSBREG_DEBUG=1`` (``--debug`` sets it).

    Raises:
        SystemExit: In place of an :class:`InputError`; with 141, as a shell does, if
            nobody reads the output any more.
    """
    make_printable()
    try:
        yield
    except InputError as error:
        if os.environ.get(DEBUG, '0') != '0' if debug is None else debug:
            traceback.print_exc()
        print(f'error: {error}', file=sys.stderr)
        raise SystemExit(2) from None
    except BrokenPipeError:
        # Else Python complains once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(141) from None
