"""Which metrics a config's evaluators log, told before anything is trained."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

_COCO = r'(_mAP(_50|_75|_s|_m|_l|_copypaste)?|_?AR@?\w*)'


def known_metrics(cfg: Mapping[str, Any]) -> list[str] | None:
    """List patterns of the metrics that a config's validation logs.

    Args:
        cfg: Resolved config.

    Returns:
        Regular expressions for the whole name; ``None`` if an evaluator is not
        known here, so that nothing can be said.
    """
    loop = cfg.get('train_cfg') or {}
    if str(loop.get('type')).endswith('ProbeLoop'):
        return _of_probes(loop.get('probes') or ())
    found: list[str] = []
    for evaluator in _flat(cfg.get('val_evaluator')):
        patterns = _of_evaluator(evaluator)
        if patterns is None:
            return None
        found += patterns
    return found


def missing_metrics(cfg: Mapping[str, Any], keys: Sequence[str]) -> list[str]:
    """Name metrics that a config's evaluators do not log.

    Args:
        cfg: Resolved config.
        keys: Names as ``transfer.metrics`` gives them.

    Returns:
        Those that no evaluator logs; empty where that is not known.
    """
    patterns = known_metrics(cfg)
    if patterns is None:
        return []
    return [key for key in keys if not any(re.fullmatch(p, key) for p in patterns)]


def _flat(evaluator: Any) -> list[Mapping[str, Any]]:
    items = evaluator if isinstance(evaluator, (list, tuple)) else [evaluator]
    return [
        part
        for item in items
        if isinstance(item, Mapping)
        for part in (_flat(item['metrics']) if 'metrics' in item else [item])
    ]


def _of_probes(probes: Sequence[Mapping[str, Any]]) -> list[str] | None:
    from msbreg_mm.registry import PROBES

    classes = [PROBES.get(str(probe.get('type'))) for probe in probes]
    if None in classes:
        return None
    return [rf'{re.escape(probe.name)}/.+' for probe in classes]  # type: ignore[union-attr]


def _of_evaluator(evaluator: Mapping[str, Any]) -> list[str] | None:
    name = str(evaluator.get('type')).rpartition('.')[2]
    prefix = evaluator.get('prefix')
    if name.endswith('CocoMetric'):
        given = evaluator.get('metric') or 'bbox'
        kinds = '|'.join([given] if isinstance(given, str) else given)
        found = [rf'{prefix or "coco"}/({kinds}){_COCO}']
        classwise = evaluator.get('classwise')
        return found + ([rf'{prefix or "coco"}/.+_precision'] if classwise else [])
    if name.endswith('VOCMetric'):
        return [rf'{prefix or "pascal_voc"}/(mAP(_11)?|AP\d+)']
    if name.endswith('IoUMetric'):
        return [r'([maA]{1,2}|m)(IoU|Acc|Dice|Fscore|Precision|Recall)']
    if name.endswith('Accuracy'):
        topk = evaluator.get('topk') or (1,)
        ks = '|'.join(map(str, [topk] if isinstance(topk, int) else topk))
        return [rf'{prefix or "accuracy"}/top({ks})(_.+)?']
    if name == 'SingleLabelMetric':
        return [rf'{prefix or "single-label"}/(precision|recall|f1-score|support).*']
    if name.endswith('MultiLabelMetric') or name.endswith('mAP11'):
        return [rf'{prefix or "multi-label"}/.+']
    return None
