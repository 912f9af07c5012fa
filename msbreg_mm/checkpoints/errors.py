"""The error that everything in this sub-package raises for bad files."""

from msbreg_mm.utils.errors import InputError


class CheckpointError(InputError, ValueError):
    """A checkpoint cannot be read, does not fit, or may not be trusted.

    The message names the file or the keys, says what was expected and what to
    do next, so that a tool can print it without a traceback.
    """
