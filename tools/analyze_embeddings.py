"""The same as ``msbreg analyze``."""

import sys

from msbreg_mm.cli.main import call

if __name__ == '__main__':
    sys.exit(call('analyze'))
