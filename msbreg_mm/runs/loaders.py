"""Data loaders that name what they cannot read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import ConfigDict
from mmengine.dist import barrier, get_world_size, is_main_process
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from msbreg_mm.datasets.transforms.bad_images import BadImagePolicy, BadImages
from msbreg_mm.datasets.transforms.guarded_read import guard_reading
from msbreg_mm.runs.explanation import explain
from msbreg_mm.utils.errors import DataError, InputError, MissingInputError

# What reading files raises; other errors are bugs unless the files explain them.
_OF_FILES = (
    OSError,
    ValueError,
    RuntimeError,
    AssertionError,
    LookupError,
    SyntaxError,
    MemoryError,
)


def watch_loaders(runner: Runner) -> BadImages:
    """Let every loader that a runner builds name what it cannot read.

    Errors of a data set that is built become :class:`InputError`; unreadable images
    of the training set are counted and replaced within the config's ``bad_images``,
    see :class:`BadImagePolicy`; those of all other sets, such as what probes and
    evaluators read, are errors. A training set without a single batch is an error.

    Args:
        runner: mmengine's runner; loops and hooks build loaders through it.

    Returns:
        The unreadable images, also in ``bad_images.jsonl`` in the work directory.
    """
    policy = BadImagePolicy(**(runner.cfg.get('bad_images') or {}))
    path = Path(runner.work_dir) / 'bad_images.jsonl'
    bad = BadImages(policy.max_count, path, 'bad_images.max_count (or max_fraction)')
    build = runner.build_dataloader

    def watched(dataloader: Any, *args: Any, **kwargs: Any) -> DataLoader:
        trains = dataloader is runner._train_dataloader and is_training(runner)
        if trains and isinstance(dataloader, dict):
            dataloader = _with_policy(dataloader, runner.cfg.get('bad_images') or {})
        try:
            loader = build(dataloader, *args, **kwargs)
        except InputError:
            raise
        except Exception as error:
            raise _explained(dataloader, error) from error
        guard_reading(loader.dataset, policy, bad if trains else None)
        if trains:
            bad.limit = policy.limit(len(loader.dataset))
            if is_main_process():
                bad.clear()
            barrier()
            _check_batches(loader)
        return loader

    runner.build_dataloader = watched  # type: ignore[method-assign]
    return bad


def is_training(runner: Runner) -> bool:
    """Whether the training loop takes steps, which that of probes does not."""
    loop = runner._train_loop
    name = loop.get('type', '') if isinstance(loop, dict) else type(loop).__name__
    return loop is not None and 'ProbeLoop' not in str(name)


def _with_policy(node: Any, policy: Mapping[str, Any]) -> Any:
    """Let sets that decode all images at the start leave out unreadable ones."""
    if isinstance(node, dict):
        copied = {key: _with_policy(value, policy) for key, value in node.items()}
        if str(copied.get('type')).endswith('InMemoryImages'):
            copied.setdefault('on_corrupt', 'skip')
            copied.setdefault('bad_images', dict(policy))
        return ConfigDict(copied) if isinstance(node, ConfigDict) else copied
    if isinstance(node, (list, tuple)):
        return type(node)(_with_policy(value, policy) for value in node)
    return node


def _explained(dataloader: Any, error: Exception) -> Exception:
    """Turn an error of a data set's code into one that names the file."""
    dataset = dataloader.get('dataset') if isinstance(dataloader, dict) else None
    if dataset and (text := explain(dataset)):
        return DataError(text)
    if not isinstance(error, _OF_FILES):
        return error
    kind = MissingInputError if isinstance(error, FileNotFoundError) else DataError
    name = (dataset or {}).get('type', 'data set')
    return kind(f'{name}: {type(error).__name__}: {error}')


def is_endless(loader: DataLoader) -> bool:
    """Whether a loader's sampler never ends, whatever its length."""
    sampler = getattr(loader.batch_sampler, 'sampler', loader.sampler)
    name = getattr(sampler, 'kind', type(sampler).__name__)
    return 'Infinite' in name or 'MultiSource' in name


def _check_batches(loader: DataLoader) -> None:
    """Raise if not even one batch is complete."""
    images = len(loader.dataset)  # type: ignore[arg-type]
    if not images:
        raise DataError('train_dataloader: the data set has no images (left)')
    if is_endless(loader) or len(loader):
        return
    ranks = get_world_size()
    batch = getattr(loader.batch_sampler, 'batch_size', loader.batch_size)
    each = f' on each of {ranks} processes' if ranks > 1 else ''
    most = max(1, -(-images // ranks))
    raise DataError(
        f'train_dataloader: {images} images give no complete batch of {batch}{each}, '
        'and drop_last=True leaves the rest out: no step would be taken. Set '
        f'train_dataloader.batch_size to at most {most} (and the learning rate with '
        'it), or train_dataloader.drop_last=False'
    )
