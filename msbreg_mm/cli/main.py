"""The front door: ``msbreg COMMAND``, ``python -m msbreg_mm`` and ``tools/*.py``."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from msbreg_mm import __version__
from msbreg_mm.utils.console import make_printable
from msbreg_mm.utils.errors import DEBUG, short_input_errors
from msbreg_mm.utils.plugins import load_plugins

COMMANDS = {
    'demo': 'pretrain and transfer on generated data, from nothing to a report',
    'train': 'one training: pretrain a backbone, or fine-tune one on a task',
    'test': 'score a trained model on the test set of its config',
    'transfer': 'fine-tune checkpoints on tasks over seeds; table and report',
    'report': 'write the tables and the page of a finished suite again',
    'tasks': 'list the tasks that checkpoints can be transferred to',
    'ablate': 'pretrain variants over seeds, evaluate and compare them',
    'analyze': 'measures, maps and neighbours of the embeddings of checkpoints',
    'draw': 'draw embeddings as particles on the sphere',
    'convert': "write a checkpoint as another project's backbone file",
    'data': 'generate, pack, check, convert and subsample data sets',
}
"""The commands and what each does, in the order of ``msbreg --help``."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name.

    Args:
        argv: Arguments without the program's name; by default the command line's.

    Returns:
        The exit code: 0, 1 if jobs failed or a data set has faults, 130 after Ctrl-C.

    Raises:
        SystemExit: With code 2 for bad input, after one message about it.
    """
    parser = argparse.ArgumentParser(
        prog='msbreg',
        description='How good is this self-supervised backbone for detection and '
        'segmentation?',
        epilog='msbreg COMMAND --help explains a command. Bad input ends with one '
        'message and exit code 2; --debug adds where it was found.',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--version', action='version', version=__version__)
    width = max(map(len, COMMANDS))
    lines = '\n'.join(f'{name:{width}}  {text}' for name, text in COMMANDS.items())
    parser.add_argument_group('commands', lines)
    parser.add_argument(
        'command', choices=COMMANDS, metavar='COMMAND', help=argparse.SUPPRESS
    )
    arguments = list(sys.argv[1:] if argv is None else argv)
    # What follows the command is the command's own, --help too.
    command = parser.parse_args(arguments[:1]).command
    return call(command, arguments[1:], f'msbreg {command}')


def call(
    command: str, argv: Sequence[str] | None = None, prog: str | None = None
) -> int:
    """Run one command.

    Args:
        command: One of :data:`COMMANDS`.
        argv: Its arguments; by default the command line's.
        prog: Name in its help; by default the script's.

    Returns:
        As :func:`main`.

    Raises:
        SystemExit: As :func:`main`.
    """
    make_printable()
    module = import_module(f'msbreg_mm.cli.{command}')
    # Apart, so that it may stand before and behind a subcommand.
    debug = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    debug.add_argument('--debug', action='store_true')
    shared, own = debug.parse_known_args(argv)
    args = make_parser(module, prog).parse_args(own)
    vars(args).pop('debug', None)
    if shared.debug:
        os.environ[DEBUG] = '1'  # the processes of jobs inherit it
    with short_input_errors():
        load_plugins()
        return int(module.run(args))


def make_parser(module: ModuleType, prog: str | None) -> argparse.ArgumentParser:
    """Make the parser of a command's module, with the flags that all share."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    parser.add_argument(
        '--debug', action='store_true', help='show where bad input was found'
    )
    return parser
