"""Pretrain variants of the method at equal budget: kNN accuracy and effective rank.

The experiment behind the defaults in docs/method.md. Every run is one line of
``--out``; a second call runs only what is missing.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from runs import parser, pretrain, run_missing, show

from msbreg_mm.evaluation import effective_rank, knn_accuracy
from msbreg_mm.evaluation.extraction import pool_features, project

CONFIGS = Path(__file__).parents[2] / 'configs' / 'demo'
MSBREG = 'msbreg_resnet18-w16_1xb64-coslr-10e_cifar10.py'
BYOL = 'byol_resnet18-w16_1xb64-coslr-10e_cifar10.py'

CENTROID = {'model.head.terms.centroid.form': 'centroid'}
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
        'model.head.terms.singular_value.loss_weight': singular_value,
        'model.head.terms.brownian.loss_weight': brownian,
    }


# BYOL sees two views of an image; twice the epochs make as many views.
TWO_VIEWS = {
    'train_dataloader.dataset.pipeline.0.views.0.num_views': 2,
    'train_cfg.max_epochs': 20,
    'param_scheduler.0.end': 2,
    'param_scheduler.1.begin': 2,
    'param_scheduler.1.end': 20,
    'param_scheduler.1.T_max': 18,
}
NO_SINGULAR = {'model.head.terms.singular_value': None}
NO_BROWNIAN = {'model.head.terms.brownian': None}

FORM = 'model.head.terms.singular_value.form'

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    'random init': (MSBREG, {}),
    'view': (MSBREG, {}),
    'view, predictor': (MSBREG, PREDICTOR),
    'centroid': (MSBREG, CENTROID),
    'centroid, predictor': (MSBREG, {**CENTROID, **PREDICTOR}),
    'byol, 2 views': (BYOL, TWO_VIEWS),
    'view, no singular value': (MSBREG, NO_SINGULAR),
    'view, no brownian': (MSBREG, NO_BROWNIAN),
    'no centroid': (MSBREG, {'model.head.terms.centroid': None}),
    'view, predictor, no singular value': (MSBREG, {**PREDICTOR, **NO_SINGULAR}),
    'view, singular value 0.003': (MSBREG, weights(0.003, 0.1)),
    'view, singular value 0.03': (MSBREG, weights(0.03, 0.1)),
    'view, brownian 1': (MSBREG, weights(0.01, 1.0)),
    'centroid, singular value 0.001': (MSBREG, {**CENTROID, **weights(0.001, 0.1)}),
    'view, centred': (MSBREG, {FORM: 'centred'}),
    'view, correlation': (MSBREG, {FORM: 'correlation'}),
    'view, brownian per view': (MSBREG, {'model.head.terms.brownian.shared': False}),
}


def read_split(path: Path, size: int, limit: int) -> tuple[np.ndarray, torch.Tensor]:
    """Return the first images of an ``.npz``, (N, size, size, 3) BGR, and labels."""
    split = np.load(path)
    encoded, offset, label = split['jpeg'], split['offset'], split['label']
    images = []
    for i in range(min(limit, len(label))):
        image = cv2.imdecode(encoded[offset[i] : offset[i + 1]], cv2.IMREAD_COLOR)
        if image is None:
            raise ValueError(f'{path}: image {i} cannot be decoded')
        images.append(cv2.resize(image, (size, size), interpolation=cv2.INTER_CUBIC))
    return np.stack(images), torch.from_numpy(label[:limit].astype(np.int64))


@torch.no_grad()
def embed(model: Any, images: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pooled backbone features and projector outputs of all images."""
    model.eval()
    features, embeddings = [], []
    for chunk in np.array_split(images, max(1, len(images) // 256)):
        batch = torch.from_numpy(chunk.transpose(0, 3, 1, 2).copy())
        data = {'inputs': batch, 'data_samples': None}
        inputs = model.data_preprocessor(data)['inputs']
        features.append(pool_features(model.backbone(inputs)))
        embeddings.append(project(model, inputs))
    return torch.cat(features), torch.cat(embeddings)


def run(name: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """Pretrain one variant and score it on the validation images."""
    start = time.perf_counter()
    config, changes = VARIANTS[name]
    train = name != 'random init'
    model = pretrain(CONFIGS / config, seed, args.data_root, changes, train)
    seconds = time.perf_counter() - start
    images, labels = read_split(args.data_root / 'train.npz', 48, 4000)
    val_images, val_labels = read_split(args.data_root / 'val.npz', 48, 4000)
    bank, embeddings = embed(model, images)
    queries, _ = embed(model, val_images)
    accuracy = knn_accuracy(
        bank, labels, queries, val_labels, ks=(20,), temperatures=(0.07,)
    )
    return {
        'knn': accuracy[20, 0.07],
        'rank_features': effective_rank(bank),
        'rank_embeddings': effective_rank(embeddings),
        'seconds': round(seconds, 1),
    }


def main() -> None:
    """Parse the arguments, run what is missing and report."""
    args = parser(__doc__, list(VARIANTS)).parse_args()
    rows = run_missing(args, run)
    show(rows, ('knn', 'rank_features', 'rank_embeddings', 'seconds'))


if __name__ == '__main__':
    main()
