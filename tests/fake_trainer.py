"""Stands for tools/train.py in tests: same arguments and files, no training.

What it does is in the environment: FAKE_MODE=ok|fail|hang|oom|nolog|interrupted|hidden,
FAKE_SLEEP seconds per epoch; FAKE_FAIL_SEED makes one seed fail.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument('config')
parser.add_argument('--work-dir', type=Path)
parser.add_argument('--checkpoint')
parser.add_argument('--seed', type=int)
parser.add_argument('--resume', action='store_true')
parser.add_argument('--amp', action='store_true')
parser.add_argument('--epochs', type=int)
parser.add_argument('--cfg-options', nargs='+', default=[])
args = parser.parse_args()
mode = os.environ.get('FAKE_MODE', 'ok')
pause = float(os.environ.get('FAKE_SLEEP', '0'))
work = args.work_dir
with (work / 'calls.txt').open('a') as stream:
    print(json.dumps([vars(args) | {'work_dir': str(work)}]), file=stream)

if mode == 'oom':
    print('torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB')
    sys.exit(1)
if mode == 'fail' or os.environ.get('FAKE_FAIL_SEED') == str(args.seed):
    print('Traceback: something\nValueError: category 7 is not in the classes')
    sys.exit(1)

report = {'checkpoint': args.checkpoint}
if args.checkpoint != 'random':
    report |= {'matched': ['a', 'b'], 'missing': [], 'partial': False}
    report |= {'format': 'mmpretrain', 'arch': 'ResNet-18', 'notes': []}
(work / 'checkpoint_report.json').write_text(json.dumps(report))
start = 0
if args.resume:
    start = int((work / 'last_checkpoint').read_text().split('_')[-1][:-4])
vis = work / f'20250101_0000{start:02}' / 'vis_data'
vis.mkdir(parents=True, exist_ok=True)
total, per_epoch = 3, 20
gain = 0.1 if args.checkpoint != 'random' else 0.0
with (vis / 'scalars.json').open('a') as log:
    for epoch in range(start + 1, total + 1):
        for it in (10, 20):
            iteration = (epoch - 1) * per_epoch + it
            line = {'lr': 0.1, 'loss': 1 / iteration, 'epoch': epoch}
            line |= {'iter': iteration, 'step': iteration, 'time': 0.1}
            print(json.dumps(line), file=log, flush=True)
            time.sleep(pause / 2)
        (work / f'epoch_{epoch}.pth').write_bytes(b'whole')
        (work / 'last_checkpoint').write_text(str(work / f'epoch_{epoch}.pth'))
        while mode == 'hang' and epoch == 2:
            time.sleep(0.05)
        if mode == 'interrupted' and epoch < total:
            sys.exit(75)
        if mode == 'hidden' and epoch == 2 > start:  # as torchrun ends
            (work / 'interrupted.json').write_text('{}')
            sys.exit(1)
        ap = 0.1 * epoch + gain + 0.01 * args.seed
        line = {'coco/bbox_mAP': ap, 'coco/segm_mAP': ap - 0.05, 'step': epoch}
        if mode == 'nothing':
            line = {'step': epoch}
            (work / 'predictions.bbox.json').write_text('[]')
        print(json.dumps(line | {'data_time': 0.1, 'time': 0.2}), file=log, flush=True)
