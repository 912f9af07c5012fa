"""Typing errors in --cfg-options are errors, arguments of classes are not."""

import pytest

from msbreg_mm.runs.changes import ChangeError
from msbreg_mm.runs.config import LaunchOptions, resolve_config

DETECTOR = 'configs/demo/mask-rcnn_r18-w16-fpn_14e_shapes.py'
PRETRAIN = 'configs/demo/msbreg_resnet18-w16_1xb64-coslr-10e_cifar10.py'


def resolve(config, **options):
    options = {key.replace('__', '.'): value for key, value in options.items()}
    return resolve_config(LaunchOptions(config, cfg_options=options))


@pytest.mark.parametrize(
    ('key', 'match'),
    [
        ('optim_wraper.optimizer.lr', "has no 'optim_wraper'; did you mean 'optim_wr"),
        ('optim_wrapper.optimiser.lr', "has no 'optimiser'; did you mean 'optimizer'"),
        ('optim_wrapper.optimizer.learning_rate', "has no 'learning_rate'"),
        ('model.backbone.frozen_stage', "did you mean 'frozen_stages'"),
        ('train_dataloader.batchsize', "did you mean 'batch_size'"),
        ('train_cfg.epochs', "did you mean 'max_epochs'"),
        ('model.roi_head.bbox_head.num_clases', "did you mean 'num_classes'"),
        ('param_scheduler.9.end', "'9' is none of its indices"),
        ('randomness.sed', "did you mean 'seed'"),
        ('work_dirs', "did you mean 'work_dir'"),
        ('train_dataloader.batch_size.x', "it has no 'x'"),
    ],
)
def test_unknown_keys_are_named_with_the_nearest(key, match):
    with pytest.raises(ChangeError, match=f'no key {key!r}.*{match}'):
        resolve(DETECTOR, **{key: 1})


def test_keys_of_older_configs_are_found_where_they_are_now():
    now = "did you mean 'model.head.terms.brownian'"
    with pytest.raises(ChangeError, match=f"model.head has no 'brownian'; {now}"):
        resolve(PRETRAIN, **{'model.head.brownian.loss_weight': 1})


@pytest.mark.parametrize(
    ('config', 'key'),
    [
        (DETECTOR, 'model.backbone.with_cp'),
        (DETECTOR, 'optim_wrapper.accumulative_counts'),
        (DETECTOR, 'optim_wrapper.optimizer.amsgrad'),  # of torch's AdamW
        (DETECTOR, 'train_dataloader.num_batch_per_epoch'),
        (DETECTOR, 'train_cfg.val_begin'),
        (DETECTOR, 'val_evaluator.classwise'),
        (DETECTOR, 'default_hooks.checkpoint.max_keep_ckpts'),
        (DETECTOR, 'randomness.deterministic'),
        (DETECTOR, 'resume'),
        (DETECTOR, 'optim_wrapper.paramwise_cfg.norm_decay_mult'),
        (PRETRAIN, 'train_dataloader.dataset.indices'),
        (PRETRAIN, 'model.backbone.norm_eval'),
    ],
)
def test_keys_that_their_class_takes_are_taken(config, key):
    cfg = resolve(config, **{key: 1})
    for part in key.split('.'):
        cfg = cfg[int(part)] if part.isdigit() else cfg[part]
    assert cfg == 1


def test_plus_is_taken_without_a_look():
    cfg = resolve(DETECTOR, **{'+model.anything': 3})
    assert cfg.model.anything == 3
