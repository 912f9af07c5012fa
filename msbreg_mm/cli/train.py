"""Pretrain a backbone, or fine-tune one on a downstream task."""

import argparse

from msbreg_mm.cli.arguments import (
    add_cfg_options,
    add_launcher,
    add_length,
    add_trust,
    set_local_rank,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``msbreg train``."""
    add = parser.add_argument
    add('config', help='config file, or a shipped one as msbreg_mm::pretrain/…')
    add('--work-dir', help='folder of logs and checkpoints')
    add(
        '--checkpoint',
        help="weights of the backbone in any known format, or 'random'",
    )
    add('--seed', type=int, help='seed of all random numbers')
    add(
        '--resume',
        nargs='?',
        const='auto',
        help='resume from this checkpoint, or from the latest of the work dir',
    )
    add('--amp', action='store_true', help='mixed precision')
    add(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate with the total batch size',
    )
    add_length(parser)
    add_trust(parser)
    add_cfg_options(parser, 'changes to the config, e.g. data_root=data/imagenet')
    add_launcher(parser)


def run(args: argparse.Namespace) -> int:
    """Train."""
    set_local_rank(args.local_rank)
    from msbreg_mm.engine.launch import build_runner
    from msbreg_mm.runs.config import LaunchOptions
    from msbreg_mm.runs.settings import parse_options

    options = LaunchOptions(
        config=args.config,
        work_dir=args.work_dir,
        checkpoint=args.checkpoint,
        seed=args.seed,
        resume=args.resume,
        amp=args.amp,
        auto_scale_lr=args.auto_scale_lr,
        allow_partial=args.allow_partial,
        trust=args.trust,
        launcher=args.launcher,
        cfg_options=parse_options(args.cfg_options),
        epochs=args.epochs,
        iters=args.iters,
    )
    build_runner(options).train()
    return 0
