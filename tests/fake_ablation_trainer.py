"""Stands for tools/train.py: pretraining and evaluation without any computation.

What a run does is in its config: ``model['fate']`` is ok, diverge, hang or collapse,
``model['gain']`` raises the accuracy of whatever starts from its weights.
"""

import argparse
import json
import runpy
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
parser.add_argument('--cfg-options', nargs='+', default=[])
args = parser.parse_args()
cfg = runpy.run_path(args.config)
model, total = cfg['model'], cfg['train_cfg']['max_epochs']
work = args.work_dir
with (work / 'calls.txt').open('a') as stream:
    print(json.dumps({**vars(args), 'work_dir': str(work)}), file=stream)
report = {'checkpoint': args.checkpoint}
if args.checkpoint != 'random':
    report |= {'matched': ['a'], 'missing': [], 'partial': False}
(work / 'checkpoint_report.json').write_text(json.dumps(report))
start = 0
if args.resume:
    start = int((work / 'last_checkpoint').read_text().split('_')[-1][:-4])
vis = work / f'20250101_0000{start:02}' / 'vis_data'
vis.mkdir(parents=True, exist_ok=True)
log = (vis / 'scalars.json').open('a')


def write(**line):
    print(json.dumps(line), file=log, flush=True)


if model['type'] == 'Probe':
    gain = 0.0
    if args.checkpoint != 'random':
        gain = json.loads(Path(args.checkpoint).read_text())['gain']
    write(**{'knn/top1': 20 + gain + args.seed, 'geometry/effective_rank': 5.0}, step=1)
    sys.exit()

fate, collapsed = model['fate'], 0
for epoch in range(start + 1, total + 1):
    if fate == 'diverge' and epoch == 2:
        print('FloatingPointError: loss_centroid is not finite')
        sys.exit(1)
    for it in range(10 * epoch - 9, 10 * epoch + 1, 3):
        collapsed += fate == 'collapse'
        line = {'lr': 0.1, 'loss': 1 / it, 'epoch': epoch, 'iter': it, 'step': it}
        if collapsed:
            line['collapsed_readings'] = collapsed
        write(**line, effective_rank=1.0 if collapsed else 10.0 + it + args.seed)
    (work / f'epoch_{epoch}.pth').write_text(json.dumps({'gain': model['gain']}))
    (work / 'last_checkpoint').write_text(str(work / f'epoch_{epoch}.pth'))
    write(**{'probe/knn_top1': 20.0 + epoch, 'step': epoch})
    while fate == 'hang' and epoch == 2 and not args.resume:
        time.sleep(0.05)
