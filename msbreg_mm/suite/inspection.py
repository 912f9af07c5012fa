"""Looks at the tasks and checkpoints of a suite, in a process of its own.

``python -m msbreg_mm.suite.inspection`` reads the request of
:func:`msbreg_mm.suite.preflight.preflight` from standard input and answers with lines
of JSON: ``["watch", what]``, ``["size", task, bytes]`` and
``["problem", task, checkpoint, reason]``.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from msbreg_mm.checkpoints.reference import RANDOM
from msbreg_mm.runs.config import resolve_config
from msbreg_mm.runs.data_check import check_data
from msbreg_mm.runs.settings import parse_options
from msbreg_mm.suite.metric_names import missing_metrics
from msbreg_mm.suite.plan import launch_options
from msbreg_mm.utils.errors import DataError, InputError
from msbreg_mm.utils.upstream import import_scope

# Tensors of a parameter's size in a checkpoint: itself and the optimizer's.
_COPIES = {'SGD': 2, 'LARS': 2}
_MOST_COPIES = 3  # Adam's two moments
_LOG_BYTES = 1 << 20
_FLAGS = ('trust', 'allow-partial')

Answer = tuple[Any, ...]


def inspect(request: Mapping[str, Any]) -> Iterator[Answer]:
    """Look at everything and say what is wrong, as soon as it is known.

    Args:
        request: ``tasks``, ``options``, ``settings`` and ``flags``.

    Yields:
        See the module.
    """
    models: dict[str, Any] = {}
    for name, task in request['tasks'].items():
        yield 'watch', name
        try:
            yield from _inspect_task(task, request, models, name)
        except InputError as error:
            yield 'problem', name, '', str(error)
        except Exception as error:
            # What a job of the task would end with, too.
            yield 'problem', name, '', f'{type(error).__name__}: {error}'
    yield from _match_all(request, models)


def _inspect_task(
    task: Mapping[str, Any], request: Mapping[str, Any], models: dict, name: str
) -> Iterator[Answer]:
    from mmengine.registry import init_default_scope

    options = parse_options(request['options'])
    cfg = resolve_config(launch_options(task['config'], options, request['settings']))
    scope = cfg.get('default_scope') or 'mmengine'
    import_scope(scope)
    init_default_scope(scope)
    if missing := missing_metrics(cfg, task['metrics']):
        yield (
            'problem', name, '',
            f'transfer.metrics names {missing[0]!r}, which no evaluator of '
            f'{task["config"]} logs; correct it there',
        )  # fmt: skip
    models[name] = _build_model(cfg)
    yield 'size', name, _bytes_left(models[name], cfg)
    check_data(cfg)
    _check_as_a_run(cfg, name)


def _match_all(
    request: Mapping[str, Any], models: Mapping[str, Any]
) -> Iterator[Answer]:
    """Read each checkpoint once and compare it with every task's model."""
    from msbreg_mm.checkpoints import CheckpointError, match_backbone, read_checkpoint

    cells: dict[str, list[tuple[str, str]]] = {}
    for task, content in request['tasks'].items():
        for name, path in content['checkpoints']:
            if path != RANDOM:
                cells.setdefault(path, []).append((task, name))
    trust, partial = (f'--{flag}' in request['flags'] for flag in _FLAGS)
    for path, places in cells.items():
        yield 'watch', path
        try:
            read = read_checkpoint(Path(path).expanduser(), trust=trust)
        except CheckpointError as error:
            yield from (('problem', *place, str(error)) for place in places)
            continue
        for task, name in places:
            try:
                if task in models:
                    match_backbone(models[task], read, allow_partial=partial)
            except CheckpointError as error:
                yield 'problem', task, name, str(error)


def _build_model(cfg: Any) -> Any:
    """Build a config's model without memory for its tensors, where that works."""
    import torch
    from mmengine.registry import MODELS

    if cfg.get('data_preprocessor') and not cfg.model.get('data_preprocessor'):
        cfg.model.data_preprocessor = cfg.data_preprocessor
    try:
        with torch.device('meta'):
            return MODELS.build(cfg.model)
    except (NotImplementedError, RuntimeError):
        # A module computes something from its tensors while it is made.
        return MODELS.build(cfg.model)


def _bytes_left(model: Any, cfg: Any) -> int:
    """Estimate what a job leaves: the checkpoints that are kept."""
    hook = (cfg.get('default_hooks') or {}).get('checkpoint')
    if not hook:
        return _LOG_BYTES
    size = sum(p.numel() * p.element_size() for p in model.state_dict().values())
    optimizer = ((cfg.get('optim_wrapper') or {}).get('optimizer') or {}).get('type')
    copies = _COPIES.get(str(optimizer), _MOST_COPIES)
    kept = hook.get('max_keep_ckpts', -1)
    loop = cfg.train_cfg
    total = loop.get('max_epochs') or loop.get('max_iters') or 1
    written = max(1, int(total) // max(int(hook.get('interval', 1)), 1))
    return int(size * copies * (min(kept, written) if kept > 0 else written))


def _check_as_a_run(cfg: Any, name: str) -> None:
    """Do what every training does before its first step, and take one batch."""
    from mmengine.runner import Runner

    from msbreg_mm.runs.training_check import check_run

    for split in ('train', 'val', 'test'):
        if loader := cfg.get(f'{split}_dataloader'):
            loader.update(num_workers=0, persistent_workers=False, pin_memory=False)
            loader.pop('prefetch_factor', None)
    with TemporaryDirectory(prefix='preflight-') as folder:
        cfg.update(
            work_dir=folder, log_level='ERROR', experiment_name=f'preflight {name}'
        )
        # mmengine keeps one visualizer of a name in a process, with its first folder.
        cfg.visualizer = None
        runner = Runner.from_cfg(cfg)
        loops = runner.train_loop, runner.val_loop  # they are built when asked for
        check_run(runner)
        if next(iter(loops[0].dataloader), None) is None:
            raise DataError(
                'the training set gives no batch: it is smaller than '
                f'train_dataloader.batch_size={cfg.train_dataloader.get("batch_size")} '
                'with drop_last'
            )


def main() -> None:
    """Answer the request on standard input."""
    request = json.load(sys.stdin)
    out, sys.stdout = sys.stdout, sys.stderr  # upstream prints
    for answer in inspect(request):
        print(json.dumps(answer), file=out, flush=True)


if __name__ == '__main__':
    main()
