"""Kills trainings at random moments, resumes them, and compares every bit.

``make soak`` runs it. Pretraining with an online probe and detection with validation
are trained to the end once for each number of processes, with no data workers. Then
the same trainings are killed again and again, with 0, 2 or 4 workers: by SIGKILL as by
the signals that save, to all processes or to one, while they start, train, save or
validate. What the resumed training leaves (weights, target, statistics, optimizer,
schedules, counts, the best checkpoint) must equal the first to the last bit.
"""

import argparse
import collections
import itertools
import json
import mmap
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
PRETRAINING = 'configs/demo/msbreg_resnet18-w16_1xb64-coslr-10e_cifar10_probe.py'
DETECTION = 'configs/demo/mask-rcnn_r18-w16-fpn_14e_shapes.py'
# Seconds after which a training that does not move is an error.
PATIENCE = 300


def options(task: str, data: Path, workers: int) -> tuple[str, dict[str, Any]]:
    """Return the config of a task and what makes it small."""
    changes: dict[str, Any] = {
        'train_dataloader.num_workers': workers,
        'train_dataloader.persistent_workers': bool(workers),
        'default_hooks.checkpoint.interval_minutes': 0.02,
        'default_hooks.logger.interval': 1,
        'log_level': 'WARNING',
    }
    if task == 'pretraining':
        changes |= {
            'data_root': str(data / 'cifar'),
            'train_dataloader.batch_size': 8,
            'train_cfg.max_epochs': 4,
        }
        return PRETRAINING, changes
    changes |= {
        'data_root': str(data / 'shapes'),
        'train_dataloader.batch_size': 2,
        'train_cfg.max_epochs': 3,
        'train_cfg.val_interval': 1,
        'default_hooks.checkpoint.save_best': 'coco/bbox_mAP',
    }
    return DETECTION, changes


def prepare(data: Path) -> None:
    """Write the small data sets."""
    import cv2
    import numpy as np

    rng = np.random.default_rng(0)
    (data / 'cifar').mkdir(parents=True, exist_ok=True)
    for split, count in (('train', 60), ('val', 40)):
        images = rng.integers(0, 255, (count, 8, 8, 3), dtype=np.uint8)
        files = [
            cv2.imencode('.jpg', cv2.resize(image, (32, 32)))[1].ravel()
            for image in images
        ]
        np.savez(
            data / 'cifar' / f'{split}.npz',
            jpeg=np.concatenate(files),
            offset=np.cumsum([0, *map(len, files)]),
            label=np.arange(count) % 10,
        )
    command = [sys.executable, str(ROOT / 'tools/prepare_data.py'), 'shapes']
    command += [str(data / 'shapes'), '--num-unlabelled', '2', '--num-train', '12']
    command += ['--num-val', '8']
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def train(task: str, data: Path, work: Path, workers: int, counter: mmap.mmap) -> None:
    """Train in this process, which may be killed; tell the iteration."""
    from mmengine.hooks import Hook

    from msbreg_mm.engine.launch import LaunchOptions, build_runner

    class Tell(Hook):
        priority = 'LOWEST'

        def after_train_iter(self, runner: Any, *args: Any, **kwargs: Any) -> None:
            counter[:8] = struct.pack('<q', runner.iter + 1)

    config, changes = options(task, data, workers)
    launcher = 'pytorch' if 'RANK' in os.environ else 'none'
    runner = build_runner(
        LaunchOptions(
            str(ROOT / config),
            str(work),
            seed=5,
            resume='auto',
            launcher=launcher,
            cfg_options=changes,
        )
    )
    runner.register_hook(Tell())
    runner.train()


class Attempt:
    """A training in forked processes, which have done the slow imports already."""

    def __init__(
        self, task: str, data: Path, work: Path, workers: int, ranks: int
    ) -> None:
        self.counter = mmap.mmap(-1, 8)
        self.codes: dict[int, int] = {}
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            port = free.getsockname()[1]
        work.mkdir(parents=True, exist_ok=True)
        self.pids = []
        for rank in range(ranks):
            if (pid := os.fork()) == 0:
                self._child(task, data, work, workers, rank, ranks, port)
            self.pids.append(pid)

    def _child(
        self,
        task: str,
        data: Path,
        work: Path,
        workers: int,
        rank: int,
        ranks: int,
        port: int,
    ) -> None:
        code = 1
        try:
            log = os.open(
                work / f'log{rank}.txt', os.O_WRONLY | os.O_CREAT | os.O_APPEND
            )
            os.dup2(log, 1)
            os.dup2(log, 2)
            if ranks > 1:
                names = {'RANK': rank, 'LOCAL_RANK': rank, 'WORLD_SIZE': ranks}
                names |= {'MASTER_PORT': port}
                os.environ.update({key: str(value) for key, value in names.items()})
                os.environ['MASTER_ADDR'] = '127.0.0.1'
            train(task, data, work, workers, self.counter)
            code = 0
        except SystemExit as error:
            code = int(error.code or 0)
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    @property
    def iteration(self) -> int:
        """Last finished iteration; 0 before the first."""
        return struct.unpack('<q', self.counter[:8])[0]

    def running(self) -> bool:
        """Whether any process lives; one that has failed takes the others along."""
        for pid in self.pids:
            if pid not in self.codes:
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    self.codes[pid] = os.waitstatus_to_exitcode(status)
        if any(code not in (0, 75) for code in self.codes.values()):
            self.send(signal.SIGKILL, self.pids)  # as torchrun does
        return len(self.codes) < len(self.pids)

    def send(self, number: int, pids: list[int]) -> None:
        """Send a signal to the processes that live."""
        for pid in pids:
            if pid not in self.codes:
                os.kill(pid, number)

    def wait(self) -> list[int]:
        """Wait for the end; return the exit codes."""
        begin = time.monotonic()
        while self.running():
            if time.monotonic() - begin > PATIENCE:
                self.send(signal.SIGKILL, self.pids)
                raise TimeoutError('the training does not end')
            time.sleep(0.01)
        return [self.codes[pid] for pid in self.pids]


def disturb(attempt: Attempt, rng: random.Random, total: int) -> tuple[str, list[int]]:
    """End an attempt by a random signal at a random moment."""
    start = attempt.iteration
    target = rng.randrange(start, total + 1)
    begin = time.monotonic()
    while attempt.running() and attempt.iteration < target:
        if time.monotonic() - begin > PATIENCE:
            raise TimeoutError('the training does not move')
        time.sleep(0.002)
    time.sleep(rng.uniform(0, 0.6))
    number = rng.choice(SIGNALS)
    pids = attempt.pids
    if number != signal.SIGKILL and rng.random() < 0.5:
        pids = [rng.choice(pids)]
    ended = not attempt.running()
    attempt.send(number, pids)
    codes = attempt.wait()
    # The training may have ended before the signal was looked at.
    ended |= not any(codes)
    return 'too late' if ended else signal.Signals(number).name, codes


def read_state(work: Path) -> dict[str, Any]:
    """Read what the training left, less times and paths."""
    import torch

    last = Path((work / 'last_checkpoint').read_text()).name
    found = {}
    for path in [work / last, *sorted(work.glob('best_*.pth'))]:
        content = torch.load(path, weights_only=False)
        hub, meta = content.pop('message_hub'), content.pop('meta')
        content['place'] = meta['epoch'], meta['iter'], meta['seed']
        content['best'] = hub['runtime_info'].get('best_score')
        found[path.name] = content
    return found


def differences(left: Any, right: Any, place: str = '') -> list[str]:
    """List where two states differ in a single bit."""
    import torch

    if isinstance(left, torch.Tensor) and isinstance(right, torch.Tensor):
        return [] if torch.equal(left, right) else [place]
    if isinstance(left, dict) and isinstance(right, dict):
        found = [f'{place}/{key} in one' for key in left.keys() ^ right.keys()]
        for key in left.keys() & right.keys():
            found += differences(left[key], right[key], f'{place}/{key}')
        return found
    if isinstance(left, (list, tuple)) and len(left) == len(right):
        pairs = enumerate(zip(left, right, strict=True))
        return [d for i, (a, b) in pairs for d in differences(a, b, f'{place}/{i}')]
    return [] if left == right else [f'{place}: {left!r} != {right!r}']


def soak(folder: Path, kills: int, seed: int) -> int:
    """Run the whole; return how many trainings differ."""
    rng = random.Random(seed)
    data = folder / 'data'
    prepare(data)
    from msbreg_mm.utils.upstream import import_scope

    import_scope('mmdet')
    import_scope('mmpretrain')
    cases = list(itertools.product(('pretraining', 'detection'), (1, 2), (0, 2, 4)))
    whole: dict[tuple[str, int], Any] = {}
    totals: dict[tuple[str, int], int] = {}
    table: collections.Counter[tuple[str, int, int, str]] = collections.Counter()
    done = bad = 0
    for number in itertools.count():
        if done >= kills:
            break
        task, ranks, workers = cases[number % len(cases)]
        if (task, ranks) not in whole:
            work = folder / f'{task}-{ranks}'
            attempt = Attempt(task, data, work, 0, ranks)
            assert attempt.wait() == [0] * ranks, f'see {work}'
            whole[task, ranks] = read_state(work)
            totals[task, ranks] = attempt.iteration
        work = folder / f'{task}-{ranks}-{number}'
        share = -(-(kills - done) // max(len(cases) - number, 1))
        killed = []
        for _ in range(share):
            attempt = Attempt(task, data, work, workers, ranks)
            name, codes = disturb(attempt, rng, totals[task, ranks])
            if name == 'too late':
                break
            killed.append((name, codes, attempt.iteration))
        codes = Attempt(task, data, work, workers, ranks).wait()
        assert codes == [0] * ranks, f'see {work}: {codes}, after {killed}'
        found = differences(read_state(work), whole[task, ranks])
        bad += bool(found)
        done += len(killed)
        for name, _, _ in killed:
            table[task, ranks, workers, name] += 1
        print(
            json.dumps(
                {
                    'task': task,
                    'processes': ranks,
                    'workers': workers,
                    'kills': killed,
                    'differences': found[:5],
                }
            ),
            flush=True,
        )
    print_table(table, done, bad)
    return bad


def print_table(
    table: collections.Counter[tuple[str, int, int, str]], done: int, bad: int
) -> None:
    """Print how often what was killed in which way."""
    names = [number.name for number in SIGNALS]
    print(f'\n| training | processes | workers | {" | ".join(names)} |')
    print('|---|---|---|' + '---|' * len(names))
    for task, ranks, workers in sorted({key[:3] for key in table}):
        counts = [str(table[task, ranks, workers, name]) for name in names]
        print(f'| {task} | {ranks} | {workers} | {" | ".join(counts)} |')
    print(f'\n{done} kills; {bad} trainings differ from the uninterrupted one.')


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', type=Path, help='empty folder for all files')
    parser.add_argument('--kills', type=int, default=50)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    sys.exit(bool(soak(args.folder.resolve(), args.kills, args.seed)))
