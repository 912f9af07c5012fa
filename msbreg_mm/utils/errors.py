"""The errors of bad input, and the one place that makes messages of them.

What a user can mend is an :class:`InputError`: one message, exit code 2. Everything
else is a bug and keeps its traceback. The children are also the built-in errors that
a caller from Python expects.
"""

import errno
import os
import re
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
EXIT_CODE = 2
# What a data loader makes of an error in a worker: a traceback in the message.
_FROM_WORKER = re.compile(r'Caught \w+ in .*Traceback .*\n[\w.]+: (.*)', re.DOTALL)
# What the machine refuses, wherever it happens: full, read-only, not allowed.
_REFUSED = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}


class InputError(Exception):
    """Bad input: the message names it, what was expected, and what to do next."""

    def __init__(self, *args: object) -> None:
        if len(args) == 1 and (found := _FROM_WORKER.match(str(args[0]))):
            args = (found[1].strip(),)
        super().__init__(*args)


class MissingInputError(InputError, FileNotFoundError):
    """A file or folder that the user named is not there."""


class MissingFolderError(MissingInputError, NotADirectoryError):
    """A folder that the user named is not there, or is a file."""


class MissingPackageError(InputError, ModuleNotFoundError):
    """Something that was asked for needs a package that is not installed."""


class ExistingInputError(InputError, FileExistsError):
    """What the user named is there already and would be overwritten."""


class DamagedFileError(InputError, ValueError):
    """A file is there, but what it holds is not what such files hold."""


class DataError(InputError, ValueError):
    """What a data set or a run holds cannot be used for what was asked."""


class NoResultsError(InputError, ValueError):
    """There is nothing to report yet."""


class OptionError(InputError, ValueError):
    """A flag or a key of the config has no acceptable value."""


class OutputError(InputError, OSError):
    """A file cannot be written; what was there before is untouched."""


@contextmanager
def short_input_errors(debug: bool | None = None) -> Iterator[None]:
    """Print an :class:`InputError` as one message and exit with code 2.

    So is what the machine refuses (a full disk, a folder without permission).
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
    except BrokenPipeError:
        # Else Python complains once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(141) from None
    except (InputError, OSError) as error:
        if not isinstance(error, InputError) and error.errno not in _REFUSED:
            raise
        if os.environ.get(DEBUG, '0') != '0' if debug is None else debug:
            traceback.print_exc()
        print(f'error: {error}', file=sys.stderr)
        raise SystemExit(EXIT_CODE) from None
