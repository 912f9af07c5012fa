"""A training loop that trains nothing: probes of frozen features."""

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from mmengine.dist import (
    broadcast_object_list,
    get_rank,
    get_world_size,
    is_main_process,
)
from mmengine.runner import Runner
from mmengine.runner.base_loop import BaseLoop
from torch import nn
from torch.utils.data import DataLoader

from msbreg_mm.evaluation.digests import digest, digest_images, digest_weights
from msbreg_mm.evaluation.extraction import (
    describe_dataset,
    extract_features,
    feature_size,
    read_image_numbers,
    read_labels,
)
from msbreg_mm.evaluation.feature_cache import FeatureCache, Write
from msbreg_mm.evaluation.features import FeatureSet, check_pair
from msbreg_mm.evaluation.outcomes import OUTCOMES, make_hits
from msbreg_mm.registry import LOOPS, PROBES
from msbreg_mm.utils.errors import OptionError
from msbreg_mm.utils.upstream import unwrap

CACHE_VARIABLE = 'MSBREG_FEATURE_CACHE'
DEFAULT_CACHE = Path('work_dirs') / '.features'
# Seconds between two lines that say how far the extraction is.
_LOG_SECONDS = 10.0


@LOOPS.register_module()
class ProbeLoop(BaseLoop):
    """Extracts features of a frozen backbone once and runs probes on them.

    It stands in ``train_cfg``, so that ``tools/train.py`` and the transfer suite
    run it like any training. The images of ``train_dataloader`` are what the
    probes are fitted on, those of ``val_dataloader`` what they are scored on; the
    samplers are not used: every image is taken once, in the order of the data
    set. The metrics are logged as one validation after one epoch.

    The network runs in evaluation mode, without gradients, in the precision of
    ``optim_wrapper`` (``--amp`` gives float16 on a GPU, bfloat16 on a CPU), and on
    all ranks; the probes run in the first. Features are kept in ``cache_dir``, see
    :class:`msbreg_mm.evaluation.feature_cache.FeatureCache`, under a key of
    weights, architecture, preprocessing, pipeline, images, precision and device
    type, so that a second run or another task of the same data takes them from
    there.

    Args:
        runner: The runner.
        dataloader: Images that the probes are fitted on.
        probes: Configs of :data:`msbreg_mm.registry.PROBES`, at least one.
        max_epochs: 1; the transfer suite reads it.
        cache_dir: Folder of the features. By default the environment variable
            ``MSBREG_FEATURE_CACHE``, else ``work_dirs/.features``. ``''`` keeps
            nothing: a folder inside the work directory is removed at the end.

    Raises:
        OptionError: If there is no probe or validation set, ``max_epochs`` is not
            1, the sets do not fit each other or a feature is not finite.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        probes: Sequence[dict],
        max_epochs: int = 1,
        cache_dir: str | None = None,
    ) -> None:
        if max_epochs != 1:
            raise OptionError(
                f'ProbeLoop takes every image once: max_epochs is 1, got {max_epochs}'
            )
        if not probes:
            raise OptionError('train_cfg.probes is empty; name a probe')
        # Before hours of extraction: a wrong name or argument shows here.
        self.probes = [PROBES.build(probe) for probe in probes]
        super().__init__(runner, dataloader)
        if runner.val_loop is None:
            raise OptionError(
                'probes are scored on val_dataloader, which is missing; take '
                'val_cfg and val_evaluator from configs/_base_/probe_runtime.py'
            )
        self.cache_dir = cache_dir
        self._epoch = 0

    @property
    def max_epochs(self) -> int:
        """1."""
        return 1

    @property
    def max_iters(self) -> int:
        """1: no step is taken, but schedules divide by it."""
        return 1

    @property
    def epoch(self) -> int:
        """1 once the probes have run, before that 0."""
        return self._epoch

    @property
    def iter(self) -> int:
        """The same as :attr:`epoch`."""
        return self._epoch

    def run(self) -> nn.Module:
        """Extract, probe and log.

        Returns:
            The model, its weights unchanged.
        """
        runner = self.runner
        runner.call_hook('before_train')  # loads the checkpoint
        runner.call_hook('before_val')
        runner.call_hook('before_val_epoch')
        metrics = self._measure()
        self._epoch = 1
        runner.call_hook('after_val_epoch', metrics=metrics)
        runner.call_hook('after_val')
        runner.call_hook('after_train')
        return runner.model

    def _measure(self) -> dict[str, float]:
        runner = self.runner
        if self.cache_dir == '':
            # One folder for all ranks: it is named by the first.
            with TemporaryDirectory(dir=runner.work_dir, prefix='features-') as folder:
                names = [folder]
                broadcast_object_list(names)
                return self._probe(FeatureCache(names[0]))
        place = self.cache_dir or os.environ.get(CACHE_VARIABLE) or DEFAULT_CACHE
        return self._probe(FeatureCache(place))

    def _probe(self, cache: FeatureCache) -> dict[str, float]:
        train = self._features(cache, self.dataloader, 'train')
        val = self._features(cache, self.runner.val_dataloader, 'val')
        check_pair(train, val)
        metrics: dict[str, float] = {}
        if is_main_process():
            if (empty := (val.counts == 0).nonzero()[0]).size:
                self.runner.logger.warning(
                    f'{val.name}: {val.describe(empty.tolist())} have no image; they '
                    'are left out of means over classes'
                )
            hits: dict[str, np.ndarray] = {}
            for probe in self.probes:
                begin = time.monotonic()
                metrics |= probe(train, val, self.runner.seed)
                hits |= probe.hits
                self.runner.logger.info(
                    f'{type(probe).__name__}: {time.monotonic() - begin:.1f} s'
                )
            if hits:
                by_class = [key for key in hits if key.endswith('/mean_class')]
                kept = make_hits(val.labels, hits, by_class)
                kept.save(Path(self.runner.work_dir) / OUTCOMES)
        results = [metrics]
        broadcast_object_list(results)
        return results[0]

    def _features(
        self, cache: FeatureCache, loader: DataLoader, split: str
    ) -> FeatureSet:
        runner, dataset = self.runner, loader.dataset
        name = f'{split} ({describe_dataset(dataset)})'
        labels, classes = read_labels(dataset, name)
        model = unwrap(runner.model)
        was_training = model.training
        model.eval()
        context = partial(runner.optim_wrapper.optim_context, model)
        precision = _precision(context, model.data_preprocessor.device)
        shape = len(labels), feature_size(model, loader)
        key = digest(
            digest_weights(model.backbone, getattr(model, 'neck', None)),
            _model_config(runner, model),
            _dataset_config(runner, dataset, split),
            digest_images(dataset),
            precision,
            torch.__version__,
        )
        about = {'name': name, 'precision': precision, 'work_dir': runner.work_dir}
        fill = partial(_fill, runner, model, loader, name, context)
        features, found = cache.get(key, shape, fill, about)
        model.train(was_training)
        runner.logger.info(
            f'{name}: features {shape[0]:,} x {shape[1]:,} '
            f'{"from" if found else "written to"} {cache.folder / key}.npy'
        )
        parts = tuple(len(part) for part in getattr(dataset, 'datasets', ()))
        images = read_image_numbers(dataset)
        return FeatureSet(features, labels, classes, name, parts, images)


def _fill(
    runner: Runner,
    model: nn.Module,
    loader: DataLoader,
    name: str,
    context: Callable[[], Any],
    write: Write,
) -> None:
    """Compute this rank's share of the rows, and say how far it is."""
    count, ranks = len(loader.dataset), get_world_size()  # type: ignore[arg-type]
    rows = range(count * get_rank() // ranks, count * (get_rank() + 1) // ranks)
    begin = last = time.monotonic()
    for row, features in extract_features(model, loader, rows, context):
        write(row, features)
        now, done = time.monotonic(), row + len(features) - rows.start
        if now - last > _LOG_SECONDS:
            last = now
            speed = ranks * done / (now - begin)
            runner.logger.info(
                f'{name}: {ranks * done:,} of {count:,} images, {speed:.0f} a second, '
                f'{(len(rows) - done) * ranks / speed:.0f} s left'
            )


def _precision(context: Callable[[], Any], device: torch.device) -> str:
    """Type of device and number format of a forward pass."""
    kind = torch.device(device).type
    with context():
        if torch.is_autocast_enabled(kind):
            return f'{kind} {torch.get_autocast_dtype(kind)}'
    return f'{kind} {torch.float32}'


def _model_config(runner: Runner, model: nn.Module) -> Any:
    """What the weights do not say about the features."""
    cfg = runner.cfg.get('model')
    if not isinstance(cfg, dict):  # built by hand
        return repr(model)
    keys = ('type', 'backbone', 'neck', 'data_preprocessor')
    return {key: cfg.get(key) for key in keys}, runner.cfg.get('data_preprocessor')


def _dataset_config(runner: Runner, dataset: Any, split: str) -> Any:
    loader = runner.cfg.get(f'{split}_dataloader')
    if isinstance(loader, dict):
        return loader.get('dataset')
    return repr(getattr(dataset, 'pipeline', None))
