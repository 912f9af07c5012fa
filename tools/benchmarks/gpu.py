"""Everything that wants a GPU, in one go: `make bench-gpu`.

Runs every test marked `gpu` and every benchmark that has a row for a device, and
writes what they say to one page. Exit code: 0, 1 if something failed, 3 if there is no
CUDA device (nothing is run).
"""

import argparse
import datetime
import os
import subprocess
import sys
from pathlib import Path

import torch

from msbreg_mm.utils.environment import device_name, versions
from msbreg_mm.utils.files import write_text

NO_DEVICE = 3
HERE = Path(__file__).parent
# A benchmark and its flags; sizes that fill a GPU.
BENCHMARKS = (
    ('losses', '--sizes', '256x256', '1024x1024', '4096x2048'),
    ('ema',),
    ('training_step', '--network', 'resnet50', '--batch-size', '128', '--size', '224'),
    ('training_step', '--network', 'resnet50', '--batch-size', '128', '--size', '224',
     '--amp'),
    ('regularized', '--network', 'resnet50', '--batch-size', '128', '--size', '224'),
    ('knn', '--variants', 'msbreg_mm'),
    ('logistic', '--images', '20000', '--dim', '2048', '--classes', '100'),
)  # fmt: skip


def run(command: list[str]) -> tuple[int, str]:
    """Run a command; return its exit code and what it printed."""
    print('$', *command, flush=True)
    done = subprocess.run(
        command,
        cwd=HERE.parents[1],
        env={**os.environ, 'COLUMNS': '140'},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    print(done.stdout, flush=True)
    return done.returncode, done.stdout


def page(parts: list[tuple[str, int, str]]) -> str:
    """Write the page: what ran, on what, and what it said."""
    date = datetime.datetime.now(datetime.UTC).strftime('%Y-%m-%d')
    about = ', '.join(f'{name} {version}' for name, version in versions().items())
    lines = [f'# On {device_name()}', '', f'{date}; {about}.']
    for title, code, text in parts:
        state = '' if code == 0 else f' (failed with code {code})'
        lines += ['', f'## {title}{state}', '', '```', text.strip(), '```']
    return '\n'.join(lines) + '\n'


def main() -> int:
    """Run the tests and the benchmarks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--out', default='work_dirs/bench-gpu.md', help='page to write')
    args = parser.parse_args()
    if not torch.cuda.is_available():
        print('no CUDA device here: nothing was run', file=sys.stderr)
        return NO_DEVICE
    tests = [sys.executable, '-m', 'pytest', '-q', '-m', 'gpu', 'tests']
    parts = [('tests marked gpu', *run(tests))]
    for name, *flags in BENCHMARKS:
        command = [sys.executable, str(HERE / f'{name}.py'), '--device', 'cuda', *flags]
        parts.append((' '.join([name, *flags]), *run(command)))
        write_text(args.out, page(parts))  # what is there stays if a later one hangs
    print(f'written: {args.out}')
    return int(any(code for _, code, _ in parts))


if __name__ == '__main__':
    sys.exit(main())
