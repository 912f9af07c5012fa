"""Says what is wrong with the files of a data set, by the checks of `check`."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msbreg_mm.datasets.check import CheckResult
from msbreg_mm.datasets.check.result import Finding

_SHOWN = 3


def explain(dataset: Mapping[str, Any]) -> str:
    """Find what keeps a data set from being read; empty if it is not found.

    Args:
        dataset: Its config, maybe with others inside.
    """
    texts = []
    for leaf in unwrap(dataset):
        result = CheckResult(str(leaf.get('data_root') or ''))
        if text := _check(leaf, result):
            texts.append(text)
        errors = [f for f in result.findings.values() if f.level == 'error']
        if errors:
            texts.append(describe(errors))
    return '\n'.join(texts)


def describe(findings: Iterable[Finding]) -> str:
    """List findings with their first examples, one a line."""
    lines = []
    for finding in findings:
        more = '; …' if finding.count > len(finding.examples[:_SHOWN]) else ''
        shown = '; '.join(finding.examples[:_SHOWN])
        lines.append(
            f'{finding.where}: {finding.count} × {finding.kind} ({finding.meaning}): '
            f'{shown}{more}'
        )
    return '\n'.join(lines)


def unwrap(dataset: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """List the data sets inside RepeatDataset, ConcatDataset and the like."""
    inner = [dataset['dataset']] if 'dataset' in dataset else dataset.get('datasets')
    return [leaf for part in inner for leaf in unwrap(part)] if inner else [dataset]


def label_fault(classes: Sequence[str], names: Sequence[str], path: Path) -> str:
    """Compare the classes of a config with the labels that mmdet gives them.

    Args:
        classes: Of the config, in the order of their labels.
        names: Of a COCO file, in the order of its list of categories.
        path: The file.

    Returns:
        What is wrong, or nothing.
    """
    there = ', '.join(map(repr, names))
    if lost := [name for name in classes if name not in names]:
        shown = ', '.join(map(repr, lost))
        return (
            f'{path} has no class {shown}; set metainfo.classes to what it has: {there}'
        )
    numbered = [name for name in names if name in classes]
    if numbered == list(classes):
        return ''
    return (
        'mmdet numbers classes in the order of the file, '
        f'{", ".join(map(repr, numbered))} in {path}, but metainfo.classes is '
        f'{", ".join(map(repr, classes))}; put them, and the categories of all files, '
        'in one order'
    )


def _check(leaf: Mapping[str, Any], result: CheckResult) -> str:
    """Check the files of a data set; also returns what is wrong with its classes."""
    name = str(leaf.get('type'))
    root = Path(leaf.get('data_root') or '')
    listing = root / (leaf.get('ann_file') or '')
    prefix = leaf.get('data_prefix') or {}
    classes = (leaf.get('metainfo') or {}).get('classes')
    if not listing.is_file():
        return ''
    if name.endswith('CocoDataset'):
        from msbreg_mm.datasets.check.coco import check_coco_file

        folder = os.path.join(root, dict(prefix).get('img') or '')
        found = check_coco_file(result, listing, Path(folder), scored=False)
        if found is None:
            return ''
        if text := label_fault(classes or (), [item[1] for item in found[0]], listing):
            return text
        return '' if found[2] else f'{listing}: no image has an object that can be used'
    if name.endswith(('XMLDataset', 'VOCDataset')):
        from msbreg_mm.datasets.check.voc import read_voc_list

        folder = os.path.join(root, dict(prefix).get('sub_data_root') or '')
        reading = read_voc_list(result, Path(folder), listing, classes, set())
        if reading is not None and not reading.names:
            return f'{listing}: no image has an object that can be used'
    return ''
