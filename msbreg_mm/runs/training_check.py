"""The one check of every training, after its data sets and before its first step."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.runner import Runner
from torch import nn

from msbreg_mm.datasets.transforms.guarded_read import leaf_datasets
from msbreg_mm.evaluation.extraction import describe_dataset
from msbreg_mm.runs.class_check import check_labels
from msbreg_mm.runs.coco_check import check_coco_set
from msbreg_mm.runs.loaders import is_training
from msbreg_mm.utils.errors import DataError
from msbreg_mm.utils.upstream import mro_names, unwrap

# Modules with num_classes that are no heads, or whose classes are their own.
_NO_HEADS = ('backbone', 'neck', 'rpn_head', 'data_preprocessor')
_SHOWN = 5


def check_run(runner: Runner, allow_empty: bool = False) -> None:
    """Stop a run whose data, classes, heads, metrics and schedule do not fit.

    Args:
        runner: After its loops are built.
        allow_empty: Accept classes without a training image.

    Raises:
        DataError: Naming the file or key, and what to do.
    """
    model = unwrap(runner.model)
    sets = dict(_data_sets(runner))
    trains = is_training(runner) and 'train' in sets
    if trains:
        _check_schedule(runner, model)
    for split, dataset in sets.items():
        if not len(dataset):
            raise DataError(f'{split}_dataloader: the data set has no images')
    _check_classes(model, sets)
    kinds = mro_names(model)
    if trains and 'BaseClassifier' in kinds:
        check_labels(model, sets['train'], sets.get('val'), runner.logger, allow_empty)
    _check_metrics(
        runner, sets, getattr(getattr(model, 'head', None), 'num_classes', 0)
    )
    if is_main_process():
        _check_files(runner, sets)
        for split, dataset in sets.items():
            for leaf in leaf_datasets(dataset):
                if 'CocoDataset' in mro_names(leaf):
                    check_coco_set(leaf, split, runner.logger)


def _data_sets(runner: Runner) -> Iterator[tuple[str, Any]]:
    for split in ('train', 'val', 'test'):
        loop = getattr(runner, f'_{split}_loop')
        if loop is not None and not isinstance(loop, dict):
            yield split, loop.dataloader.dataset


def _check_schedule(runner: Runner, model: nn.Module) -> None:
    loop = runner.train_loop
    for name in ('max_epochs', 'max_iters'):
        if getattr(loop, name, 1) < 1:
            raise DataError(
                f'train_cfg.{name}={getattr(loop, name)}: no step would be taken; it '
                'must be at least 1'
            )
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise DataError(
            f'{type(model).__name__} has no parameter that is trained: all have '
            'requires_grad=False; unfreeze a part of the model'
        )


def class_names(dataset: Any) -> tuple[str, ...]:
    """Names by label, empty if the data set has none."""
    return tuple((getattr(dataset, 'metainfo', None) or {}).get('classes') or ())


def _check_classes(model: nn.Module, sets: dict[str, Any]) -> None:
    """Compare the classes of all sets with each other and with the heads."""
    kinds = mro_names(model)
    if not {'BaseDetector', 'BaseSegmentor'} & set(kinds):
        return
    names = {split: class_names(dataset) for split, dataset in sets.items()}
    known = {split: found for split, found in names.items() if found}
    if not known:
        return
    first, expected = next(iter(known.items()))
    for split, found in known.items():
        if found != expected:
            raise DataError(
                f'classes of {first}_dataloader are {_some(expected)}, those of '
                f'{split}_dataloader {_some(found)}; both need the same, in one order '
                '(metainfo.classes)'
            )
    for name, module in model.named_modules():
        count = getattr(module, 'num_classes', None)
        if type(count) is not int or any(part in name for part in _NO_HEADS):
            continue
        if count != len(expected) and 'FusedSemanticHead' not in mro_names(module):
            raise DataError(
                f'model.{name} has num_classes={count}, but {first}_dataloader has '
                f'{len(expected)} classes: {_some(expected)}; set '
                f'model.{name}.num_classes={len(expected)}, or metainfo.classes to '
                'those that were meant'
            )


def _some(names: Sequence[str]) -> str:
    more = ', …' if len(names) > 2 * _SHOWN else ''
    return f'({", ".join(map(repr, names[: 2 * _SHOWN]))}{more})'


def _check_metrics(runner: Runner, sets: dict[str, Any], num_classes: int) -> None:
    """Find metrics that need more classes than there are, or other files."""
    for split in ('val', 'test'):
        if split not in sets:
            continue
        evaluator = getattr(getattr(runner, f'_{split}_loop'), 'evaluator', None)
        for metric in getattr(evaluator, 'metrics', ()):
            name = f'{split}_evaluator ({type(metric).__name__})'
            classes = num_classes or len(class_names(sets[split]))
            top = max((k for k in getattr(metric, 'topk', None) or (0,)), default=0)
            if classes and top > classes:
                raise DataError(
                    f'{name}: top-{top} accuracy needs at least {top} classes, there '
                    f'are {classes}; set {split}_evaluator topk to (1,)'
                )
            if getattr(metric, '_coco_api', None) is not None:
                _check_coco_metric(metric, name, sets[split], runner.logger)


def _check_coco_metric(metric: Any, name: str, dataset: Any, logger: Any) -> None:
    """Compare the file that a metric scores by with the set that it scores."""
    api, classes = metric._coco_api, class_names(dataset)
    found = api.load_cats(api.get_cat_ids(cat_names=classes))
    if classes and (names := tuple(item['name'] for item in found)) != classes:
        raise DataError(
            f'{name}: ann_file numbers the classes {_some(names)}, the data set '
            f'{_some(classes)}; mmdet goes by the order of the list of categories'
        )
    leaves = leaf_datasets(dataset)
    ids = {
        leaf.get_data_info(index).get('img_id')
        for leaf in leaves
        for index in range(len(leaf))
    }
    known = set(api.get_img_ids())
    if lost := ids - known:
        raise DataError(
            f'{name}: its ann_file has no image with the id {next(iter(lost))!r}, one '
            f'of {len(lost)} of {describe_dataset(dataset)}; name the same file'
        )
    if len(known) > len(ids):
        logger.warning(
            f'{name}: its ann_file has {len(known)} images, the data set {len(ids)}; '
            'the others count as missed'
        )


def _check_files(runner: Runner, sets: dict[str, Any]) -> None:
    """Look for every image and mask that is listed, without opening any."""
    for split, dataset in sets.items():
        paths = list(_listed(dataset))
        with ThreadPoolExecutor(8) as pool:
            there = list(pool.map(os.path.exists, paths))
        gone = [path for path, found in zip(paths, there, strict=True) if not found]
        if not gone:
            continue
        text = f'{split}_dataloader: {len(gone)} of {len(paths)} listed files are not '
        text += f'there: {", ".join(gone[:_SHOWN])}' + (', …' if gone[_SHOWN:] else '')
        own = split == 'train' and is_training(runner)
        bad = getattr(runner, 'bad_images', None) if own else None
        if bad is None or len(gone) > bad.limit:
            raise DataError(f'{text}; check data_root, data_prefix and ann_file')
        runner.logger.warning(f'{text}; others will stand in for them (bad_images)')


def _listed(dataset: Any) -> Iterator[str]:
    for leaf in leaf_datasets(dataset):
        # What was found by looking into folders is there.
        if not getattr(leaf, 'ann_file', None) or not hasattr(leaf, 'get_data_info'):
            continue
        if 'InMemoryImages' in mro_names(leaf):
            continue
        for index in range(len(leaf)):
            info = leaf.get_data_info(index)
            for key in ('img_path', 'seg_map_path'):
                path = info.get(key)
                if isinstance(path, (str, Path)) and '://' not in str(path):
                    yield str(path)
