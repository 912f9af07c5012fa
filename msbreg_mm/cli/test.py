"""Score a trained model on the test set of its config."""

import argparse

from msbreg_mm.cli.arguments import add_cfg_options, add_launcher, set_local_rank


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``msbreg test``."""
    add = parser.add_argument
    add('config', help='config file')
    add('checkpoint', help='what msbreg train wrote with it')
    add('--work-dir', help='folder of the logs')
    add('--out', help='JSON file for the metrics')
    add_cfg_options(parser, 'changes to the config, e.g. data_root=data/coco')
    add_launcher(parser)


def run(args: argparse.Namespace) -> int:
    """Score."""
    set_local_rank(args.local_rank)
    from msbreg_mm.engine.launch import run_test
    from msbreg_mm.runs.config import LaunchOptions
    from msbreg_mm.runs.settings import parse_options

    options = LaunchOptions(
        config=args.config,
        work_dir=args.work_dir,
        launcher=args.launcher,
        cfg_options=parse_options(args.cfg_options),
    )
    run_test(options, args.checkpoint, args.out)
    return 0
