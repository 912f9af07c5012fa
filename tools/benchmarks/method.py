"""Pretrain variants of the method at equal budget: kNN accuracy and effective rank.

The experiment behind the defaults in docs/method.md. Every run is one line of
``--out``; a second call runs only what is missing.
"""

import argparse
import json
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.runner import Runner
from rich.console import Console
from rich.table import Table

from msbreg_mm.engine.launch import LaunchOptions, build_runner
from msbreg_mm.evaluation import effective_rank, knn_accuracy

CONFIGS = Path(__file__).parents[2] / 'configs' / 'demo'
MSBREG = 'msbreg_resnet18-w16_1xb128-coslr-10e_cifar10.py'
BYOL = 'byol_resnet18-w16_1xb128-coslr-10e_cifar10.py'

CENTROID = {'model.head.centroid.form': 'centroid'}
PREDICTOR = {
    'model.head.predictor': {
        'type': 'NonLinearNeck',
        'in_channels': 128,
        'hid_channels': 512,
        'out_channels': 128,
        'with_bias': True,
        'with_last_bn': False,
        'with_avg_pool': False,
        'norm_cfg': {'type': 'BN1d'},
    }
}


def weights(singular_value: float, brownian: float) -> dict[str, Any]:
    """Return the config changes for the weights of the two regularisers."""
    return {
        'model.head.singular_value.loss_weight': singular_value,
        'model.head.brownian.loss_weight': brownian,
    }


VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    'byol': (BYOL, {}),
    'view': (MSBREG, {}),
    'view+predictor': (MSBREG, PREDICTOR),
    'centroid': (MSBREG, CENTROID),
    'centroid+predictor': (MSBREG, {**CENTROID, **PREDICTOR}),
    'view-singular': (MSBREG, {'model.head.singular_value': None}),
    'view-brownian': (MSBREG, {'model.head.brownian': None}),
    'view-attraction': (MSBREG, {'model.head.centroid': None}),
    'view+predictor-singular': (
        MSBREG,
        {**PREDICTOR, 'model.head.singular_value': None},
    ),
    'view-both': (
        MSBREG,
        {'model.head.singular_value': None, 'model.head.brownian': None},
    ),
    **{
        f'view s={s:g} b={b:g}': (MSBREG, weights(s, b))
        for s in (0.001, 0.003, 0.01, 0.03, 0.1)
        for b in (0.0, 0.1, 1.0)
    },
    **{
        f'centroid s={s:g}': (MSBREG, {**CENTROID, **weights(s, 0.1)})
        for s in (0.001, 0.003, 0.03)
    },
    'view centred': (MSBREG, {'model.head.singular_value.form': 'centred'}),
    'view correlation': (MSBREG, {'model.head.singular_value.form': 'correlation'}),
    'view b per view': (MSBREG, {'model.head.brownian.shared': False}),
}


@torch.no_grad()
def embed(runner: Runner, images: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pooled backbone features and projector outputs of (N, H, W, 3) BGR."""
    model = runner.model.eval()
    features, embeddings = [], []
    for chunk in np.array_split(images, max(1, len(images) // 256)):
        batch = torch.from_numpy(chunk.transpose(0, 3, 1, 2).copy())
        inputs = model.data_preprocessor({'inputs': batch, 'data_samples': None})['inputs']
        maps = model.backbone(inputs)
        features.append(maps[-1].mean(dim=(2, 3)))
        embeddings.append(model.neck(maps)[0])
    return torch.cat(features), torch.cat(embeddings)


def run_variant(name: str, seed: int, data_root: str, extra: dict) -> dict[str, Any]:
    """Pretrain one variant and score it."""
    config, changes = VARIANTS[name]
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as work_dir:
        runner = build_runner(
            LaunchOptions(
                config=str(CONFIGS / config),
                work_dir=work_dir,
                seed=seed,
                cfg_options={
                    'experiment_name': f'{name}-{seed}-{time.time_ns()}',
                    'data_root': data_root,
                    'log_level': 'WARNING',
                    'default_hooks.checkpoint.interval': -1,
                    'default_hooks.checkpoint.save_last': False,
                    **changes,
                    **extra,
                },
            )
        )
        runner.train()
    seconds = time.perf_counter() - start
    train = runner.train_dataloader.dataset
    val = build_split(runner, train, 'val.npz')
    bank, bank_z = embed(runner, train.images)
    queries, _ = embed(runner, val.images)
    accuracy = knn_accuracy(
        bank, train.labels, queries, val.labels, ks=(20,), temperatures=(0.07,)
    )
    return {
        'variant': name,
        'seed': seed,
        'knn': accuracy[20, 0.07],
        'rank_features': float(effective_rank(bank)),
        'rank_embeddings': float(effective_rank(bank_z)),
        'seconds': round(seconds, 1),
    }
