"""Damaged files of every kind that the package reads, and what becomes of them.

    python tests/soak/mutated_files.py [--scale 1.0] [--seed 0]

Each kind runs in a process of its own, which may die or hang: the file in hand is then
counted as a crash or a hang. The table goes to standard output.
"""

import argparse
import collections
import contextlib
import io
import json
import pickle
import random
import shutil
import subprocess
import sys
import tempfile
import traceback
import warnings
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from mutations import random_bytes, random_json

# Seconds that one file may take before it counts as a hang.
PATIENCE = 120
OUTCOMES = ('refused', 'unchanged', 'told', 'other', 'SILENT', 'TRACEBACK')
WORDS = {
    'refused': 'refused by name',
    'unchanged': 'same result',
    'told': 'changed, with a note',
    'other': 'valid other file',
    'SILENT': 'silent change',
    'TRACEBACK': 'traceback',
    'CRASH': 'crash',
    'HANG': 'hang',
}


class Checkpoints:
    """A small ResNet in one format, damaged byte by byte.

    Args:
        folder: Place for files.
        form: ``zip``, ``rebuilt`` (the pickle inside damaged, its checksum right),
            ``legacy``, ``safetensors`` or ``pickle``.
    """

    def __init__(self, folder, form):
        import torch
        from mmpretrain.models import ResNet

        self.form, self.path = form, folder / 'x'
        torch.manual_seed(0)
        self.model = ResNet(18, stem_channels=8, base_channels=8)
        self.blank = ResNet(18, stem_channels=8, base_channels=8)
        state = self.model.state_dict()
        buffer = io.BytesIO()
        if form == 'safetensors':
            from safetensors.torch import save

            self.data = save(state)
        elif form == 'pickle':
            arrays = {key: value.numpy() for key, value in state.items()}
            self.data = pickle.dumps({'model': arrays})
        else:
            content = {'state_dict': state, 'meta': {'epoch': 3}}
            torch.save(content, buffer, _use_new_zipfile_serialization=form != 'legacy')
            self.data = buffer.getvalue()

    def damage(self, rng):
        if self.form != 'rebuilt':
            return random_bytes(self.data, rng)
        buffer = io.BytesIO()
        with (
            zipfile.ZipFile(io.BytesIO(self.data)) as old,
            zipfile.ZipFile(buffer, 'w') as new,
        ):
            for name in old.namelist():
                part = old.read(name)
                if name.endswith(('data.pkl', 'byteorder', 'version')):
                    part = random_bytes(part, rng) if rng.random() < 0.8 else part
                new.writestr(name, part)
        return buffer.getvalue()

    def run(self, rng):
        import torch

        from msbreg_mm.checkpoints import (
            CheckpointError,
            load_backbone,
            verify_resumable,
        )

        self.path.write_bytes(self.damage(rng))
        if self.form in ('zip', 'rebuilt', 'legacy'):
            with contextlib.suppress(CheckpointError):
                verify_resumable(self.path)
        try:
            report = load_backbone(self.blank, self.path)
        except CheckpointError:
            return 'refused'
        same = all(
            torch.equal(value, self.blank.state_dict()[key])
            for key, value in self.model.state_dict().items()
        )
        if same:
            return 'unchanged'
        if self.form == 'rebuilt':
            return 'other'
        return 'told' if any('checksum' in note for note in report.notes) else 'SILENT'


class Suite:
    """A suite's folder with two jobs; a file of one of them is damaged.

    Args:
        folder: Place for files.
        name: File of the job's folder, or ``'record'`` for its entries.
    """

    def __init__(self, folder, name):
        import numpy as np
        from synthetic import write_coco, write_job

        from msbreg_mm.runs.record import Identity, Record

        self.name, self.folder = name, folder / 'suite'
        ann = write_coco(folder / 'data', images=3)
        rng = np.random.default_rng(0)
        for checkpoint, sha in (('random', ''), ('x', 'a' * 64)):
            record = Record(
                't', 'p', checkpoint, Identity('c' * 64, sha, 0),
                {'coco/bbox_mAP': 0.3}, [('coco/bbox_mAP', 'AP', 100.0)],
                {'python': '3'}, 'cpu', 1.0,
                {'unit': 'epoch', 'total': 2, 'batch_size': 1}, {'matched': 5},
            )  # fmt: skip
            write_job(
                self.folder / 't' / checkpoint / 'seed0', record, ann,
                ann.parent / 'images', 0.9, rng,
            )  # fmt: skip
        self.job = self.folder / 't' / 'x' / 'seed0'
        (self.job / 'failure.json').write_text('{"reason": "a"}')
        self.report()
        self.expected = self.table()
        entry = 'result.json' if name == 'record' else name
        self.path = next(
            path for path in sorted(self.job.rglob('*')) if path.name == entry
        )
        self.data = self.path.read_bytes()

    def report(self):
        from msbreg_mm.transfer.report import write_report

        write_report(self.folder)

    def table(self):
        text = (self.folder / 'table.md').read_text(encoding='utf-8')
        return [line for line in text.splitlines() if line.startswith('| ')][:4]

    def damage(self, rng):
        if self.name == 'record' or (
            self.name.endswith('.json') and rng.random() < 0.5
        ):
            try:
                content = json.loads(self.data)
            except ValueError:
                return random_bytes(self.data, rng)
            changed = json.dumps(random_json(content, rng))
            return changed.encode('utf-8', 'surrogatepass')
        return random_bytes(self.data, rng)

    def run(self, rng):
        from msbreg_mm.runs.record import read_damaged

        self.path.write_bytes(self.damage(rng))
        if self.path.name != 'details.json':
            (self.job / 'details.json').unlink(missing_ok=True)
        self.report()
        if read_damaged(self.folder):
            # The other row stands; its differences had this row beside them.
            rows = [line.split()[1] for line in self.table()]
            return 'refused' if 'random' in rows and 'x' not in rows else 'SILENT'
        return 'unchanged' if self.table() == self.expected else 'SILENT'


class Configs:
    """A config file of Python, damaged byte by byte, as ``tools/train.py`` reads it."""

    def __init__(self, folder, name):
        root = Path(__file__).parents[2] / 'configs'
        shutil.copytree(root, folder / 'configs')
        self.path = folder / 'configs' / 'demo' / name
        self.data = self.path.read_bytes()

    def run(self, rng):
        from msbreg_mm.engine.launch import LaunchOptions, resolve_config
        from msbreg_mm.utils.errors import InputError

        self.path.write_bytes(random_bytes(self.data, rng))
        try:
            resolve_config(LaunchOptions(str(self.path)))
        except InputError:
            return 'refused'
        return 'other'  # its hash is another one, too


DEMO = 'mask-rcnn_r18-w16-fpn_14e_shapes.py'
# kind -> what makes it, files of the long run
KINDS = {
    'checkpoint, zip': (lambda folder: Checkpoints(folder, 'zip'), 300),
    'checkpoint, pickle inside': (lambda folder: Checkpoints(folder, 'rebuilt'), 150),
    'checkpoint, legacy': (lambda folder: Checkpoints(folder, 'legacy'), 100),
    'checkpoint, safetensors': (lambda folder: Checkpoints(folder, 'safetensors'), 100),
    'checkpoint, pickle': (lambda folder: Checkpoints(folder, 'pickle'), 100),
    'record, entries': (lambda folder: Suite(folder, 'record'), 150),
    'record, bytes': (lambda folder: Suite(folder, 'result.json'), 60),
    'scalars.json': (lambda folder: Suite(folder, 'scalars.json'), 60),
    'config.json': (lambda folder: Suite(folder, 'config.json'), 60),
    'predictions': (lambda folder: Suite(folder, 'predictions.segm.json'), 60),
    'details.json': (lambda folder: Suite(folder, 'details.json'), 30),
    'failure.json': (lambda folder: Suite(folder, 'failure.json'), 30),
    'config file (Python)': (lambda folder: Configs(folder, DEMO), 100),
}


def run_kind(kind, seed, first, count, tell=lambda index, outcome: None, folder=None):
    """Damage ``count`` files of a kind; each has a seed of its own."""
    make, _ = KINDS[kind]
    with tempfile.TemporaryDirectory(dir=folder) as place:
        subject = make(Path(place))
        for index in range(first, first + count):
            tell(index, 'begun')
            try:
                outcome = subject.run(random.Random(f'{seed} {kind} {index}'))
            except Exception:
                traceback.print_exc()
                outcome = 'TRACEBACK'
            tell(index, outcome)


def supervise(kind, seed, count):
    """Run a kind in processes that may die; return outcome -> number."""
    found = collections.Counter()
    index = 0
    while index < count:
        command = [sys.executable, __file__, '--kind', kind, '--seed', str(seed)]
        command += ['--first', str(index), '--count', str(count - index)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        lines, state = Lines(process.stdout), 'begun'
        while (line := lines.next(PATIENCE)) is not None:
            if line == 'HANG':
                process.kill()
                found['HANG'] += 1
                index += 1
                break
            _, number, state = line.split()
            if state != 'begun':
                found[state] += 1
                index = int(number) + 1
                if state in ('SILENT', 'TRACEBACK'):
                    print(f'{kind} {number}: {state}', file=sys.stderr)
        else:
            if process.wait() and index < count:
                print(f'{kind} {index}: CRASH {process.returncode}', file=sys.stderr)
                found['CRASH'] += 1
                index += 1
    return found


class Lines:
    """Lines of a pipe, with a limit of time for each."""

    def __init__(self, stream):
        import queue
        import threading

        self.queue = queue.Queue()
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream):
        for line in stream:
            if line.startswith('@ '):
                self.queue.put(line.strip())
        self.queue.put(None)

    def next(self, seconds):
        import queue

        try:
            return self.queue.get(timeout=seconds)
        except queue.Empty:
            return 'HANG'


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--scale', type=float, default=1.0, help='of all numbers')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--kind', help=argparse.SUPPRESS)
    parser.add_argument('--first', type=int, help=argparse.SUPPRESS)
    parser.add_argument('--count', type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.kind:
        warnings.filterwarnings('ignore')

        def tell(index, outcome):
            print(f'\n@ {index} {outcome}', flush=True)

        run_kind(args.kind, args.seed, args.first, args.count, tell)
        return 0
    total = collections.Counter()
    columns = list(WORDS)
    print('| kind | files | ' + ' | '.join(WORDS[name] for name in columns) + ' |')
    print('| --- |' + ' ---: |' * (len(columns) + 1))
    for kind, (_, number) in KINDS.items():
        count = max(1, round(number * args.scale))
        found = supervise(kind, args.seed, count)
        total += found
        cells = [str(found[name]) for name in columns]
        print(f'| {kind} | {count} | ' + ' | '.join(cells) + ' |', flush=True)
    cells = [str(total[name]) for name in columns]
    print(f'| all | {sum(total.values())} | ' + ' | '.join(cells) + ' |')
    return int(any(total[name] for name in ('SILENT', 'TRACEBACK', 'CRASH', 'HANG')))


if __name__ == '__main__':
    sys.exit(main())
