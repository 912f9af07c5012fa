"""Features of real images."""

import numpy as np
import pytest
import torch


@pytest.fixture(scope='session')
def cifar_features(shared_data):
    """2,000 and 1,000 CIFAR-10 images, by a random ResNet-18."""
    from mmengine.registry import DefaultScope

    from msbreg_mm.evaluation.extraction import extract_features, read_labels
    from msbreg_mm.evaluation.features import FeatureSet
    from msbreg_mm.utils.upstream import import_scope

    import_scope('mmpretrain')
    from mmengine.dataset import pseudo_collate
    from mmpretrain.registry import MODELS
    from torch.utils.data import DataLoader

    from msbreg_mm.registry import DATASETS

    torch.manual_seed(0)
    sets = []
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(
            dict(
                type='ImageClassifier',
                backbone=dict(
                    type='ResNet', depth=18, stem_channels=16, base_channels=16
                ),
                neck=dict(type='GlobalAveragePooling'),
                data_preprocessor=dict(mean=[124.0] * 3, std=[58.0] * 3, to_rgb=True),
            )
        ).eval()
        for split, count in (('train', 2000), ('val', 1000)):
            dataset = DATASETS.build(
                dict(
                    type='msbreg_mm.InMemoryImages',
                    data_root=str(shared_data / 'cifar10_24k'),
                    ann_file=f'{split}.npz',
                    indices=count,
                    pipeline=[dict(type='PackInputs')],
                )
            )
            loader = DataLoader(dataset, batch_size=250, collate_fn=pseudo_collate)
            batches = extract_features(model, loader, range(count))
            features = np.concatenate([features for _, features in batches])
            labels, classes = read_labels(dataset)
            sets.append(FeatureSet(features, labels, classes, split))
    return tuple(sets)
