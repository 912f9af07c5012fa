"""Classification configs say what the recipes of docs/classification.md say."""

from functools import cache
from pathlib import Path

import pytest
from fake_class_data import classes_of
from mmengine.optim import build_optim_wrapper
from torch import nn

from msbreg_mm.reports.published import published_rows
from msbreg_mm.runs.config import LaunchOptions, resolve_config
from msbreg_mm.suite.tasks import _own_protocol
from msbreg_mm.utils.upstream import import_scope

import_scope('mmpretrain')

ROOT = Path(__file__).parents[1] / 'configs'
CONFIGS = {p.stem: p for p in (ROOT / 'transfer' / 'classification').rglob('*.py')}
DEMO = {
    path.stem: path
    for pattern in ('finetune_r18*', 'probe_r18*', 'logistic_r18*')
    for path in (ROOT / 'demo').glob(pattern)
}
# Metric of each data set, as ssl-transfer has it; CUB's is this project's choice.
TOP1 = ('cars', 'cifar10', 'cifar100', 'cub200', 'dtd', 'food101', 'sun397')
MEAN = ('aircraft', 'caltech101', 'flowers102', 'pets')


@cache
def resolved(config):
    return resolve_config(LaunchOptions(str(config), work_dir='unused'))


@pytest.mark.parametrize(
    ('name', 'kind', 'rate', 'decay', 'epochs', 'milestones', 'batch'),
    [
        ('linear-moco_r50_100e_in1k', 'SGD', 30, 0, 100, [60, 80], 256),
        ('linear-swav_r50_100e_in1k', 'SGD', 0.3, 1e-6, 100, None, 256),
        ('linear-vicreg_r50_100e_in1k', 'SGD', 0.02, 1e-6, 100, None, 256),
        ('linear-simsiam_r50_90e_in1k', 'LARS', 1.6, 0, 90, None, 4096),
        ('linear_r50_28e_places205', 'SGD', 0.01, 1e-4, 28, [7, 14, 21], 256),
        ('linear_r50_84e_inat18', 'SGD', 0.01, 1e-4, 84, [24, 48, 72], 256),
    ],
)
def test_linear_recipe(name, kind, rate, decay, epochs, milestones, batch):
    cfg = resolved(CONFIGS[name])
    optimizer, (scheduler,) = cfg.optim_wrapper.optimizer, cfg.param_scheduler
    assert (optimizer.type, optimizer.lr) == (kind, rate)
    assert (optimizer.weight_decay, optimizer.momentum) == (decay, 0.9)
    assert cfg.train_cfg.max_epochs == epochs
    assert scheduler.get('milestones') == milestones
    if milestones is None:
        assert (scheduler.type, scheduler.T_max) == ('CosineAnnealingLR', epochs)
    # on 8 GPUs
    assert 8 * cfg.train_dataloader.batch_size == batch
    assert cfg.auto_scale_lr.base_batch_size == batch
    assert (cfg.model.backbone.frozen_stages, cfg.model.backbone.norm_eval) == (4, True)


@pytest.mark.parametrize(
    ('name', 'backbone', 'head'),
    [
        ('semisup-swav_r50_20e_in1k-1pct', 0.02, 5),
        ('semisup-swav_r50_20e_in1k-10pct', 0.01, 0.2),
        ('semisup-barlowtwins_r50_20e_in1k-1pct', 0.005, 0.5),
        ('semisup-vicreg_r50_20e_in1k-1pct', 0.03, 0.08),
        ('semisup-vicreg_r50_20e_in1k-10pct', 0.01, 0.1),
    ],
)
def test_rates_of_few_labels(name, backbone, head):
    cfg = resolved(CONFIGS[name])
    model = nn.ModuleDict({'backbone': nn.Linear(2, 2), 'head': nn.Linear(2, 2)})
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    rates = {
        parameter: group['lr']
        for group in wrapper.optimizer.param_groups
        for parameter in group['params']
    }
    assert rates[model['backbone'].weight] == pytest.approx(backbone)
    assert rates[model['head'].bias] == pytest.approx(head)
    assert {g['weight_decay'] for g in wrapper.optimizer.param_groups} == {0}
    percent = name.split('-')[-1].removesuffix('pct')
    assert cfg.train_dataloader.dataset.ann_file == f'meta/train_{percent}percent.txt'
    steps = [s.get('milestones') for s in cfg.param_scheduler]
    assert steps == [[12, 16] if 'swav' in name else None]


@pytest.mark.parametrize('data_set', [*TOP1, *MEAN, 'voc07'])
def test_every_data_set_has_its_own_metric(data_set):
    kind = 'top1' if data_set in TOP1 else 'mean' if data_set in MEAN else 'mAP'
    probe = resolved(CONFIGS[f'logistic_r50_{data_set}'])
    tune = resolved(CONFIGS[f'finetune_r50_5k_{data_set}'])
    metric = {'top1': 'top1', 'mean': 'mean_class', 'mAP': 'mAP'}[kind]
    assert probe.train_cfg.probes[0].metric == metric
    assert probe.transfer.metrics[0][0] == f'logistic/{metric}'
    keys = {'top1': 'accuracy/top1', 'mean': 'single-label/recall'}
    assert tune.transfer.metrics[0][0] == keys.get(kind, 'multi-label/mAP_11')
    number = tune.model.head.num_classes
    known = classes_of(tune.train_dataloader.dataset.type, 1000)
    assert len(known) == (1000 if data_set == 'flowers102' else number)
    # Scored on the test set, and never trained on it.
    for cfg in (probe, tune):
        assert cfg.val_dataloader.dataset.split == 'test'
        train = cfg.train_dataloader.dataset
        parts = train.get('datasets', [train])
        assert 'test' not in [part.split for part in parts]


def test_labels_differ_and_published_rows_are_found():
    labels = {name: _own_protocol(path) for name, path in (CONFIGS | DEMO).items()}
    assert None not in labels.values()
    assert len(set(labels.values())) == len(labels)
    published = {name: published_rows(label) for name, label in labels.items()}
    assert published['linear-moco_r50_100e_in1k'][0].values == {'top-1': 60.8}
    assert published['knn_r50_in1k'][0].values == {'top-1': 64.2}
    assert published['svm_r50_voc07'][0].values == {'mAP': 86.31}
    for name, rows in published.items():
        titles = (
            {title for _, title, _ in resolved((CONFIGS | DEMO)[name]).transfer.metrics}
            if rows
            else set()
        )
        for row in rows:
            assert set(row.values) <= titles
