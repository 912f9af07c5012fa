"""The same as ``msbreg test``."""

import sys

from msbreg_mm.cli.main import call

if __name__ == '__main__':
    sys.exit(call('test'))
