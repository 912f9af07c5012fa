"""Resolved transfer configs against the values of the published recipes.

``tests/recipes/*.toml`` hold one row for each value, with its source, so that a change
here or of an upstream default is noticed. docs/protocols.md says what was changed and
what still differs.
"""

import copy
import tomllib
from functools import cache
from pathlib import Path

import pytest
from mmengine.config import Config

import msbreg_mm  # noqa: F401  bases of upstream are found without its metafiles

ROOT = Path(__file__).parents[1] / 'configs' / 'transfer'
TABLES = {
    name: tomllib.loads((Path(__file__).parent / f'recipes/{name}.toml').read_text())
    for name in ('detection', 'segmentation', 'classification')
}
RECIPES = {config: table for table in TABLES.values() for config in table['config']}
# What every trained recipe's rows must speak of.
DETECTION = (
    *('train_cfg.max_', 'optim_wrapper.optimizer.lr', 'param_scheduler.0.end'),
    *('param_scheduler.0.start_factor', 'param_scheduler.1.milestones'),
    *('auto_scale_lr.base_batch_size', 'train_dataloader.batch_size'),
    *('.pipeline.2.scale', 'val_dataloader.dataset.pipeline.1.scale'),
    *('anchor_generator.scales', 'anchor_generator.ratios', 'rpn.allowed_border'),
    *('rpn.assigner.min_pos_iou', 'rpn_proposal.nms_pre', 'rpn_proposal.max_per_img'),
    *('test_cfg.rpn.nms_pre', 'nms.iou_threshold', 'rcnn.assigner.match_low_quality'),
    *('paramwise_cfg.norm_decay_mult', 'weight_decay', 'val_evaluator.type'),
)
SEGMENTATION = (
    *('train_cfg.max_iters', 'optim_wrapper.optimizer.lr', 'param_scheduler.0.type'),
    *('auto_scale_lr.base_batch_size', 'train_dataloader.batch_size', 'weight_decay'),
    *('crop_size', 'norm_eval', 'backbone.frozen_stages', 'model.test_cfg.mode'),
    *('model.decode_head.channels', 'val_evaluator.iou_metrics'),
)


def read_rows(table, config):
    """Path to (value, source) of a config: of its groups, then its own."""
    recipe, rows = table['config'][config], {}
    for part in [*(table['group'][name] for name in recipe['groups']), recipe]:
        for path, value, where in part.get('rows', ()):
            rows[path] = (value, f'{part["source"]}: {where}')
    return rows


def find(node, path):
    """The value at a path of a resolved config; nothing and ``None`` are 'absent'."""
    for key in path.split('.'):
        if isinstance(node, list | tuple):
            node = node[int(key)] if int(key) < len(node) else None
        else:
            node = (node or {}).get(key)
    return 'absent' if node is None or node in ({}, []) else node


def plain(value):
    return [plain(v) for v in value] if isinstance(value, list | tuple) else value


def compare(cfg, rows):
    """One line for each value that is not the source's."""
    return [
        f'{path} is {found!r}, not {value!r} ({source})'
        for path, (value, source) in rows.items()
        if (found := plain(find(cfg, path))) != value
        or isinstance(found, bool) != isinstance(value, bool)
    ]


@cache
def resolved(config):
    cfg = Config.fromfile(ROOT / f'{config}.py', import_custom_modules=False)
    return cfg.to_dict()


def test_every_config_has_a_recipe():
    there = {p.relative_to(ROOT).with_suffix('').as_posix() for p in ROOT.rglob('*.py')}
    assert set(RECIPES) == there
    for table in TABLES.values():
        used = {
            name for recipe in table['config'].values() for name in recipe['groups']
        }
        assert used == set(table['group'])


@pytest.mark.parametrize('config', RECIPES)
def test_values_are_those_of_the_source(config):
    rows = read_rows(RECIPES[config], config)
    assert rows
    assert compare(resolved(config), rows) == []


@pytest.mark.parametrize('kind', ['detection', 'segmentation'])
def test_rows_speak_of_what_makes_a_recipe(kind):
    needed = {'detection': DETECTION, 'segmentation': SEGMENTATION}[kind]
    for config in TABLES[kind]['config']:
        paths = ' '.join(read_rows(TABLES[kind], config))
        missing = [part for part in needed if part not in paths]
        assert not missing, config


def change(node, path, value):
    *parents, last = path.split('.')
    for key in parents:
        node = node[int(key)] if isinstance(node, list | tuple) else node[key]
    node[int(last) if isinstance(node, list) else last] = value


@pytest.mark.parametrize(
    ('config', 'path', 'value'),
    [
        ('coco/mask-rcnn_r50-c4_2x_coco', 'optim_wrapper.optimizer.lr', 0.002),
        ('coco/mask-rcnn_r50-c4_1x_coco', 'model.train_cfg.rpn.allowed_border', 0),
        ('coco/mask-rcnn_r50-fpn_1x_coco', 'optim_wrapper.paramwise_cfg', {}),
        ('voc/faster-rcnn_r50-c4_24k_voc0712', 'param_scheduler.0.end', 1000),
        ('seg/fcn_r50-d8_20k_voc12aug', 'train_dataloader.batch_size', 2),
        ('classification/linear/linear-moco_r50_100e_in1k', 'train_cfg.max_epochs', 90),
        ('classification/semisup/semisup-vicreg_r50_20e_in1k-1pct', 'sync_bn', 'torch'),
    ],
)
def test_a_changed_value_is_noticed(config, path, value):
    cfg = copy.deepcopy(resolved(config))
    change(cfg, path, value)
    wrong = compare(cfg, read_rows(RECIPES[config], config))
    assert wrong
    assert all(line.startswith(path) for line in wrong)


def test_yes_and_one_are_not_the_same():
    rows = {'a.0.b': (1, 's'), 'c': ('absent', 's'), 'd': ([1, 2], 's')}
    assert compare({'a': ({'b': True},), 'd': (1, 2)}, rows) == [
        'a.0.b is True, not 1 (s)'
    ]
