"""Time kNN classification and measure its memory as the bank grows.

The bank is a memory-mapped file of class clusters. Every measurement is a process of
its own. Seconds are CPU time (of the clock on a GPU), memory is the peak beyond what
the imports take. lightly and scikit-learn read the bank whole. All must predict the
same classes.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import timing
import torch

from msbreg_mm.evaluation import knn_predict

K, T, CLASSES = 200, 0.1, 100  # lightly's benchmark
VARIANTS = ('msbreg_mm', 'lightly', 'scikit-learn')


def write_bank(path: Path, rows: int, dim: int) -> None:
    """Write features around random class centres, in chunks."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(CLASSES, dim)).astype(np.float32)
    bank = np.lib.format.open_memmap(path, 'w+', np.float32, (rows, dim))
    for start in range(0, rows, 10_000):
        part = bank[start : start + 10_000]
        noise = rng.normal(scale=3, size=part.shape).astype(np.float32)
        part[:] = centres[np.arange(start, start + len(part)) % CLASSES] + noise
    bank.flush()


def predict(variant: str, path: Path, queries: int, device: str) -> np.ndarray:
    """Classify the first rows of the bank, moved a little, by one variant."""
    bank = np.load(path, mmap_mode='r')
    labels = np.arange(len(bank)) % CLASSES
    rng = np.random.default_rng(1)
    noise = rng.normal(scale=3, size=(queries, bank.shape[1]))
    asked = (bank[:queries] + noise).astype(np.float32)
    if variant == 'msbreg_mm':
        found = knn_predict(bank, labels, asked, [K], [T], CLASSES, device=device)
        return found[K, T].cpu().numpy()
    if variant == 'scikit-learn':
        from sklearn.neighbors import KNeighborsClassifier

        model = KNeighborsClassifier(
            K,
            metric='cosine',
            algorithm='brute',
            weights=lambda distance: np.exp((1 - distance) / T),
        )
        return model.fit(bank, labels).predict(asked)
    from lightly.utils.benchmarking import knn_predict as theirs

    normalize = torch.nn.functional.normalize
    whole = normalize(torch.from_numpy(np.array(bank)).to(device), dim=1)
    unit = normalize(torch.from_numpy(asked).to(device), dim=1)
    # Batches of 1,024 queries, as the chunks of ours; it wants the bank transposed.
    ranked = [
        theirs(q, whole.T, torch.from_numpy(labels).to(device), CLASSES, K, T)
        for q in unit.split(1024)
    ]
    return torch.cat(ranked)[:, 0].cpu().numpy()


def child(args: argparse.Namespace) -> None:
    """Classify once; print seconds, memory and the predictions."""
    torch.set_num_threads(args.threads)
    tiny = args.child_bank.with_name('tiny.npy')
    predict(args.child, tiny, 10, args.device)  # imports and warms up
    # On a CPU that others use too, its own time says more than the clock's.
    clock = time.process_time if args.device == 'cpu' else time.perf_counter
    Path('/proc/self/clear_refs').write_text('5')  # forget the peak of the imports
    before, begin = memory_mib('VmRSS'), clock()
    found = predict(args.child, args.child_bank, args.queries, args.device)
    result = {'seconds': clock() - begin, 'mib': memory_mib('VmHWM') - before}
    print(json.dumps({**result, 'predictions': found.tolist()}))


def memory_mib(name: str) -> float:
    """Return a figure of this process's memory (Linux)."""
    lines = Path('/proc/self/status').read_text().splitlines()
    return int(next(x for x in lines if x.startswith(name)).split()[1]) / 1024


def measure(variant: str, bank: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Run one variant in a process of its own."""
    command = [sys.executable, __file__, '--child', variant, '--child-bank', str(bank)]
    command += ['--queries', str(args.queries), '--threads', str(args.threads)]
    command += ['--device', args.device]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def compare(bank: Path, rows: int, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure all variants on one bank; they take turns."""
    rounds = [
        {variant: measure(variant, bank, args) for variant in args.variants}
        for _ in range(args.repeats)
    ]
    ours = rounds[0]['msbreg_mm']['predictions']
    fastest = median(rounds, 'msbreg_mm', 'seconds')
    return [
        {
            'bank': f'{rows:,} x {args.dim}',
            'bank MiB': round(rows * args.dim * 4 / 2**20),
            'variant': variant,
            'seconds': median(rounds, variant, 'seconds'),
            'times msbreg_mm': median(rounds, variant, 'seconds') / fastest,
            'peak MiB': round(median(rounds, variant, 'mib')),
            'other predictions': sum(
                x != y
                for x, y in zip(ours, rounds[0][variant]['predictions'], strict=True)
            ),
        }
        for variant in args.variants
    ]


def median(rounds: list[dict[str, dict]], variant: str, name: str) -> float:
    """Return the median of one figure over the rounds."""
    return statistics.median(r[variant][name] for r in rounds)


def main() -> None:
    """Parse the arguments, measure and report."""
    parser = timing.parser(__doc__, repeats=3)
    parser.add_argument(
        '--rows', type=int, nargs='+', default=[50_000, 100_000, 200_000, 400_000]
    )
    parser.add_argument('--dim', type=int, default=512)
    parser.add_argument('--queries', type=int, default=2048)
    parser.add_argument('--variants', nargs='+', default=VARIANTS, choices=VARIANTS)
    parser.add_argument('--child', choices=VARIANTS, help=argparse.SUPPRESS)
    parser.add_argument('--child-bank', type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args)
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        write_bank(Path(folder, 'tiny.npy'), 1000, args.dim)
        for count in args.rows:
            bank = Path(folder, 'bank.npy')
            write_bank(bank, count, args.dim)
            rows += compare(bank, count, args)
    title = f'{args.queries:,} queries, k = {K}, {args.threads} threads'
    timing.report(title, rows, args)


if __name__ == '__main__':
    main()
