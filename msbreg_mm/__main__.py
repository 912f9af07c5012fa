"""``python -m msbreg_mm``, the same as ``msbreg``."""

import sys

from msbreg_mm.cli.main import main

if __name__ == '__main__':
    sys.exit(main())
