"""Every classification config trains two steps or probes, and is scored."""

import gc
from functools import cache
from pathlib import Path

import pytest
import torch
from fake_class_data import classes_of, forget_md5, write_layout
from mmengine.dataset import default_collate
from mmengine.hooks import Hook
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn

from msbreg_mm.engine.launch import build_runner
from msbreg_mm.runs.config import LaunchOptions, resolve_config
from msbreg_mm.runs.data_check import check_data
from msbreg_mm.runs.log import read_log
from msbreg_mm.suite.tasks import load_task
from msbreg_mm.utils.upstream import import_scope

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / 'configs' / 'transfer' / 'classification'
CONFIGS = {path.stem: path for path in sorted(FOLDER.rglob('*.py'))}
DEMO = {
    path.stem: path
    for pattern in ('finetune_r18*', 'probe_r18*', 'logistic_r18*', 'supervised_r*')
    for path in sorted((ROOT / 'configs' / 'demo').glob(pattern))
}
# One of each kind; the others are slow.
DEFAULT = (
    'linear-moco_r50_100e_in1k',
    'linear_r50_84e_inat18',
    'semisup-vicreg_r50_20e_in1k-1pct',
    'finetune_r50_5k_voc07',
    'logistic_r50_aircraft',
    'svm_r50_voc07',
    'probe_r18-w16_flowers17',
)
SIDE = 32


class Start(Hook):
    """Keeps the state that training starts from."""

    priority = 'LOWEST'

    def before_train(self, runner):
        self.state = {k: v.clone() for k, v in runner.model.state_dict().items()}


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Writes a data set once, when a config asks for it."""
    root = tmp_path_factory.mktemp('data')

    @cache
    def layout(name, **options):
        return write_layout(
            name, root / '-'.join(map(str, options.values())), **options
        )

    return layout


@cache
def resolved(config):
    return resolve_config(LaunchOptions(str(config), work_dir='unused'))


def layout_options(name):
    """More images where a probe needs them for its neighbours or folds."""
    return {
        'knn': {'each': 70},
        'svm': {'each': 30},
        'few': {'each': 20, 'classes': 5},
    }[name[:3]]


def tiny(config, data):
    """Options that change sizes, lengths and the classes with images alone."""
    cfg = resolved(config)
    probes = 'probes' in cfg.train_cfg
    special = config.parent.name == 'probes'
    options = layout_options(config.stem) if special else {}
    changes = {
        'data_root': str(data(Path(cfg.data_root).name, **options)),
        'train_dataloader.batch_size': 4,
        'visualizer': None,
        'default_hooks.checkpoint': None,
    }
    if not probes:
        changes['default_hooks.class_check.allow_empty'] = True
        unit = 'max_iters' if 'max_iters' in cfg.train_cfg else 'max_epochs'
        length = 2 if unit == 'max_iters' else 1
        changes |= {f'train_cfg.{unit}': length, 'train_cfg.val_interval': length}
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if loader not in cfg:
            continue
        changes |= {f'{loader}.num_workers': 0, f'{loader}.persistent_workers': False}
        dataset = cfg[loader].dataset
        parts = dataset.get('datasets')
        prefixes = [f'.datasets.{i}' for i in range(len(parts))] if parts else ['']
        for prefix, part in zip(prefixes, parts or [dataset], strict=True):
            where = f'{loader}.dataset{prefix}'
            if probes and part.type not in ('VOC', 'msbreg_mm.InMemoryImages'):
                names = classes_of(part.type, options.get('classes', 3))
                changes[f'{where}.metainfo'] = {'classes': names}
            for index, step in enumerate(part.pipeline):
                for key in {'scale', 'crop_size'} & set(step):
                    square = isinstance(step[key], tuple)
                    size = (SIDE, SIDE) if square else SIDE
                    changes[f'{where}.pipeline.{index}.{key}'] = size
    for index, probe in enumerate(cfg.train_cfg.get('probes', ())):
        where = f'train_cfg.probes.{index}'
        if probe.type == 'msbreg_mm.LogisticProbe':
            changes |= {f'{where}.l2_grid': (100.0, 10.0), f'{where}.max_iter': 20}
        if probe.type == 'msbreg_mm.SVMProbe':
            changes |= {f'{where}.costs': (1.0,), 'model.neck.kernel_size': 1}
            if 'shots' in probe:
                changes[f'{where}.shots'] = (1, 2)
    return changes


def assert_trained(name, start, end):
    """The backbone learns, or no tensor of it changes, statistics included."""
    parts = {'backbone.': 'linear' not in name, 'head.': True}
    for part, learns in parts.items():
        changed = [
            key
            for key in start
            if key.startswith(part) and not torch.equal(start[key], end[key])
        ]
        assert bool(changed) == learns, (part, changed[:3])


@pytest.mark.parametrize(
    'name',
    [
        pytest.param(name, marks=() if name in DEFAULT else pytest.mark.slow)
        for name in CONFIGS | DEMO
    ],
)
def test_runs_and_is_scored(name, data, tmp_path, monkeypatch):
    config = (CONFIGS | DEMO)[name]
    forget_md5(monkeypatch)
    monkeypatch.setenv('MSBREG_FEATURE_CACHE', str(tmp_path / 'features'))
    options = LaunchOptions(
        str(config),
        work_dir=str(tmp_path / 'run'),
        seed=0,
        cfg_options=tiny(config, data),
    )
    runner = build_runner(options)
    hook = Start()
    runner.register_hook(hook)
    runner.train()

    probes = 'probes' in runner.cfg.train_cfg
    end = runner.model.state_dict()
    if probes:
        assert all(torch.equal(hook.state[key], end[key]) for key in end)
    else:
        assert runner.iter >= 2
        assert_trained(name, hook.state, end)
    task = load_task(config)
    log = read_log(tmp_path / 'run', by_iter=task.schedule.unit == 'iter')
    values = log.val[-1][1]
    for metric in task.metrics:
        if 'low-shot' in name and metric.key[-3:] not in ('_k1', '_k2'):
            continue
        assert 0 <= metric.scale * values[metric.key] <= 100, metric


def test_all_build(data, monkeypatch):
    """Model, data and optimizer of every config, with one batch of both sets."""
    import_scope('mmpretrain')
    from mmpretrain.registry import DATASETS, MODELS

    forget_md5(monkeypatch)
    monkeypatch.setattr(gc, 'collect', int)  # after every set's serialisation
    built = {}
    for config in (CONFIGS | DEMO).values():
        options = LaunchOptions(str(config), 'unused', cfg_options=tiny(config, data))
        cfg = resolve_config(options)
        check_data(cfg)
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            model = nn.ModuleDict()
            for part in ('backbone', 'neck', 'head'):
                if part in cfg.model:
                    key = str(cfg.model[part])  # many configs share a backbone
                    built[key] = built.get(key) or MODELS.build(cfg.model[part])
                    model[part] = built[key]
            build_optim_wrapper(model, cfg.optim_wrapper)
            for loader in (cfg.train_dataloader, cfg.val_dataloader):
                dataset = DATASETS.build(loader.dataset)
                batch = default_collate([dataset[0], dataset[len(dataset) - 1]])
                assert batch['inputs'].dtype == torch.uint8
                assert len(batch['data_samples']) == 2
                assert 'gt_label' in batch['data_samples'][0]
