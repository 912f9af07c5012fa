"""From a config file and command-line flags to the config that a runner takes."""

import os
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, ConfigDict, DictAction
from mmengine.logging import print_log

from msbreg_mm.checkpoints.reference import RANDOM
from msbreg_mm.datasets.samplers import drop_worker_settings, use_seeded_sampler
from msbreg_mm.runs.folder import find_resumable
from msbreg_mm.runs.known_keys import check_options, plain_options
from msbreg_mm.runs.schedule import scale_schedule
from msbreg_mm.utils.configs import CONFIG_ROOT, find_config
from msbreg_mm.utils.errors import InputError, MissingInputError, OptionError

__all__ = ['DictAction', 'LaunchOptions', 'resolve_config']


@dataclass(frozen=True)
class LaunchOptions:
    """What the command line may change in a config.

    Attributes:
        config: Config file.
        work_dir: Folder of logs and checkpoints; by default
            ``work_dirs/<config>/<checkpoint>/seed<seed>`` (parts that were not
            given are left out).
        checkpoint: Weights for the backbone in any format that
            :mod:`msbreg_mm.checkpoints` reads, ``'random'`` for none, or
            ``None`` to follow the config.
        seed: Seed of all random numbers; ``None`` follows the config.
        resume: ``'auto'`` for the latest checkpoint of ``work_dir``, or a path.
        amp: Train with automatic mixed precision.
        auto_scale_lr: Scale the learning rate with the total batch size.
        allow_partial: Accept a checkpoint that does not fill the backbone.
        trust: Allow pickles that run code (never for files of strangers).
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.
        cfg_options: Dotted keys and values merged into the config; a key that
            nothing would read is refused, ``+key`` is not.
        epochs: Train so many epochs, schedules scaled.
        iters: Train so many iterations, schedules scaled.
    """

    config: str
    work_dir: str | None = None
    checkpoint: str | None = None
    seed: int | None = None
    resume: str | None = None
    amp: bool = False
    auto_scale_lr: bool = False
    allow_partial: bool = False
    trust: bool = False
    launcher: str = 'none'
    cfg_options: Mapping[str, Any] = field(default_factory=dict)
    epochs: int | None = None
    iters: int | None = None


def resolve_config(options: LaunchOptions) -> Config:
    """Read the config file and apply the flags to it.

    Args:
        options: Config file and flags.

    Returns:
        The config that mmengine's runner takes.

    Raises:
        MissingInputError: If the config or the checkpoint is not there.
        OptionError: If ``auto_scale_lr`` is asked for and the config lacks it, or
            the length cannot be scaled.
        ChangeError: If a key of ``cfg_options`` is unknown.
    """
    file = find_config(options.config)
    if not file.is_file():
        raise MissingInputError(
            f'no config file {options.config}; the shipped ones are in {CONFIG_ROOT} '
            'and can be named msbreg_mm::pretrain/… from anywhere'
        )
    cfg = read_config(file)
    cfg.launcher = options.launcher
    old_root = cfg.get('data_root')
    check_options(cfg._cfg_dict, options.cfg_options)
    if options.epochs is not None or options.iters is not None:
        scale_schedule(cfg, options.epochs, options.iters)
    cfg.merge_from_dict(plain_options(options.cfg_options))
    if old_root and cfg.get('data_root') not in (None, old_root):
        _replace_prefix(cfg._cfg_dict, old_root, os.path.join(cfg.data_root, ''))
    if options.seed is not None:
        cfg.randomness = {**cfg.get('randomness', {}), 'seed': options.seed}
    if options.amp:
        if not cfg.get('optim_wrapper'):
            raise OptionError(f'--amp needs an optim_wrapper in {options.config}')
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if options.auto_scale_lr:
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise OptionError(
                f'--auto-scale-lr needs auto_scale_lr.base_batch_size in '
                f'{options.config}'
            )
        cfg.auto_scale_lr.enable = True
        # mmengine scales by the images of a step, not of an update.
        if steps := (cfg.get('optim_wrapper') or {}).get('accumulative_counts'):
            cfg.auto_scale_lr.base_batch_size /= steps
    _apply_checkpoint(cfg, options)
    cfg.work_dir = options.work_dir or cfg.get('work_dir') or _work_dir(options)
    if options.resume is not None:
        cfg.resume = True
        cfg.load_from = _resume_from(options.resume, cfg.work_dir)
    if not torch.cuda.is_available():
        _adapt_to_cpu(cfg)
    use_seeded_sampler(cfg)
    drop_worker_settings(cfg._cfg_dict)
    return cfg


def read_config(file: Path) -> Config:
    """Read a config file, which is a program: what it raises is bad input.

    Args:
        file: Config file; it is run.

    Raises:
        OptionError: If it ends with an error; the message has the line.
    """
    try:
        cfg = Config.fromfile(file)
        dict(cfg)  # what `import` names is only now looked for
        return cfg
    except InputError:
        raise
    except Exception as error:
        # The last line of a config in the traceback, else what the parser says.
        frames = traceback.extract_tb(error.__traceback__)
        lines = [f.lineno for f in frames if f.filename.endswith(file.name)]
        where = f'{file}, line {lines[-1]}' if lines else file
        raise OptionError(
            f'{where}: the config cannot be read: {type(error).__name__}: {error}'
        ) from error


def _apply_checkpoint(cfg: Config, options: LaunchOptions) -> None:
    """Let a hook fill the backbone: after initialisation, never on resume."""
    if options.checkpoint is None:
        return
    path = Path(options.checkpoint).expanduser()
    if options.checkpoint != RANDOM and not path.exists():
        raise MissingInputError(
            f"no checkpoint {options.checkpoint}; pass a file, a folder or 'random'"
        )
    hook = {
        'type': 'msbreg_mm.PretrainedBackboneHook',
        'checkpoint': options.checkpoint,
        'allow_partial': options.allow_partial,
        'trust': options.trust,
    }
    cfg.custom_hooks = [*cfg.get('custom_hooks', []), hook]


def _work_dir(options: LaunchOptions) -> str:
    """Name the work directory by config, checkpoint and seed."""
    parts = [find_config(options.config).stem]
    if options.checkpoint is not None:
        parts.append(Path(options.checkpoint).stem)
    if options.seed is not None:
        parts.append(f'seed{options.seed}')
    return os.path.join('work_dirs', *parts)


def _resume_from(resume: str, work_dir: str) -> str | None:
    """Find the file to resume from; None starts from the beginning."""
    if resume != 'auto':
        return resume
    found = find_resumable(work_dir)
    return None if found is None else str(found)


def _replace_prefix(node: Any, old: str, new: str) -> None:
    """Replace a leading data root in every string below ``node``, in place."""
    items = node.items() if isinstance(node, Mapping) else enumerate(node)
    for key, value in list(items):
        if isinstance(value, str) and value.startswith(old):
            node[key] = new + value[len(old) :]
        elif isinstance(value, (Mapping, list)):
            _replace_prefix(value, old, new)


def _adapt_to_cpu(cfg: Config) -> None:
    """Drop what only a GPU can do; a process's own BatchNorm replaces SyncBN."""
    if cfg.launcher != 'none':
        if cfg.get('sync_bn'):
            print_log(
                'No CUDA device: each process normalises its own batch (sync_bn is '
                'off).',
                'current',
            )
        cfg.model_wrapper_cfg = {
            'type': 'MMDistributedDataParallel',
            'device_ids': None,
            'broadcast_buffers': False,
            'find_unused_parameters': cfg.get('find_unused_parameters', False),
        }
    cfg.sync_bn = None
    wrapper = cfg.get('optim_wrapper') or {}
    if wrapper.get('type') == 'AmpOptimWrapper':
        for key in ('loss_scale', 'dtype', 'use_fsdp'):
            wrapper.pop(key, None)
        wrapper['type'] = 'msbreg_mm.CPUAmpOptimWrapper'
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg.get(name)
        if isinstance(loader, ConfigDict):
            loader.pin_memory = False
