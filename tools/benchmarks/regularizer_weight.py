"""Measure how large each regulariser's gradient is beside the method's own.

Trains the method of a `*-reg_*` config without its regularisers for a number of steps
and then compares the gradients at the backbone over several batches. A weight of one
method says nothing about another: Barlow Twins' loss is a sum over hundreds of
dimensions, BYOL's a mean of cosines. The last columns are the weights that give each
term the wanted share.

    python tools/benchmarks/regularizer_weight.py configs/demo/byol-reg_*cifar10.py \
        --cfg-options data_root=DATA
"""

import argparse
import statistics
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

import timing
import torch
from mmengine.config import DictAction
from runs import open_runner

TERMS = ('singular_value', 'brownian')


def gradient_norms(model: Any, data: dict) -> dict[str, float]:
    """Return the norm of each term's gradient at the backbone, at weight 1."""
    regularizer = model.regularizer
    for name in TERMS:
        getattr(regularizer, name).loss_weight = 1.0
    losses = model.loss(**data)
    for name in TERMS:
        getattr(regularizer, name).loss_weight = 0.0
    terms = {name: losses.pop(f'loss_{name}') for name in TERMS}
    terms['own'] = sum(losses.values())
    weights = [p for p in model.backbone.parameters() if p.requires_grad]
    return {
        name: torch.stack(
            [
                gradient.norm()
                for gradient in torch.autograd.grad(term, weights, retain_graph=True)
            ]
        )
        .norm()
        .item()
        for name, term in terms.items()
    }


def train_and_measure(
    config: str, seed: int, args: argparse.Namespace
) -> tuple[str, dict[str, float]]:
    """Train one seed; return the method and each term's share at weight 1."""
    with open_runner(Path(config), seed, args.cfg_options or {}) as runner:
        model = runner.model.train()
        for name in TERMS:
            getattr(model.regularizer, name).loss_weight = 0.0
        loop = runner.build_train_loop(runner.cfg.train_cfg)
        wrapper = runner.build_optim_wrapper(runner.cfg.optim_wrapper)
        model.init_weights()
        # CosineEMA reads the length of the schedule there.
        runner.message_hub.update_info('max_iters', 10 * args.steps)
        batches = chain.from_iterable(repeat(loop.dataloader))
        for data in islice(batches, args.steps):
            model.train_step(data, wrapper)
        found = [
            gradient_norms(model, model.data_preprocessor(data, training=True))
            for data in islice(batches, args.batches)
        ]
    shares = {
        name: statistics.median(norms[name] / norms['own'] for norms in found)
        for name in TERMS
    }
    return type(model).__name__.removeprefix('Regularized'), shares


def measure(config: str, args: argparse.Namespace) -> dict[str, Any]:
    """Return one row of the table."""
    runs = [train_and_measure(config, seed, args) for seed in args.seeds]
    row: dict[str, Any] = {'method': runs[0][0]}
    for name in TERMS:
        shares = [found[name] for _, found in runs]
        share = statistics.median(shares)
        spread = f' ({min(shares):.2g} to {max(shares):.2g})'
        row[f'{name}, share at weight 1'] = f'{share:.2g}{spread}'
        row[f'{name}, weight for {args.share:g}'] = f'{args.share / share:.2g}'
    return row


def main() -> None:
    """Parse the arguments, measure and report."""
    parser = timing.parser(__doc__, repeats=1)
    parser.add_argument('configs', nargs='+', help='configs of regularised methods')
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument('--steps', type=int, default=62, help='of training before')
    parser.add_argument('--batches', type=int, default=8, help='to take the median of')
    parser.add_argument('--share', type=float, default=0.1, help='that is wanted')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rows = [measure(config, args) for config in args.configs]
    title = f'gradient of the regularisers at the backbone after {args.steps} steps'
    timing.report(title, rows, args)


if __name__ == '__main__':
    main()
