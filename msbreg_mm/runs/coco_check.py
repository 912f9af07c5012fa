"""Compare a built CocoDataset with its file before it is trained on or scored."""

from logging import Logger
from pathlib import Path
from typing import Any

from msbreg_mm.datasets.check import CheckResult
from msbreg_mm.datasets.check.coco import check_coco_file
from msbreg_mm.runs.explanation import describe, label_fault
from msbreg_mm.utils.errors import DataError

# What keeps a run from starting; the rest is left out by the reader, and said.
_FATAL = (
    'unreadable-annotation',
    'malformed-record',
    'duplicate-annotation-id',
    'duplicate-category',
    'not-scored',
)
_FATAL_WITH_MASKS = ('malformed-mask', 'missing-mask')


def check_coco_set(dataset: Any, split: str, logger: Logger) -> None:
    """Stop where an annotation cannot be used, or labels mean other classes.

    Args:
        dataset: mmdet's CocoDataset.
        split: ``'train'``, ``'val'`` or ``'test'``; the last two are scored.
        logger: Takes what the reader leaves out.

    Raises:
        DataError: Naming the annotation or the class.
    """
    path = Path(dataset.ann_file)
    if '://' in str(path) or not path.is_file():
        return
    masks = any(getattr(t, 'with_mask', False) for t in dataset.pipeline.transforms)
    result = CheckResult(str(path))
    found = check_coco_file(
        result, path, Path(), scored=split != 'train', thorough=False, masks=masks
    )
    fatal = _FATAL + _FATAL_WITH_MASKS * masks
    if errors := [f for f in result.findings.values() if f.kind in fatal]:
        raise DataError(f'{split}_dataloader: {describe(errors)}')
    if found is not None:
        names = [name for _, name in found[0]]
        if text := label_fault(dataset.metainfo['classes'], names, path):
            raise DataError(f'{split}_dataloader: {text}')
    rest = [f for f in result.findings.values() if f.level != 'info']
    if rest:
        logger.warning(f'{split}_dataloader: {describe(rest)}')
