"""A sampler whose order and draws follow seed, epoch and image alone."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.dist import get_dist_info, sync_random_seed
from mmengine.registry import DATA_SAMPLERS as SAMPLERS
from torch.utils.data import Dataset, Sampler

from msbreg_mm.datasets.samplers.keyed_reading import KeyedReader, SampleIndex
from msbreg_mm.registry import DATA_SAMPLERS
from msbreg_mm.utils.keys import draw_key, seed_of, sub_key

NAME = 'msbreg_mm.SeededSampler'
BATCH_NAME = 'msbreg_mm.SkippingBatchSampler'


@DATA_SAMPLERS.register_module()
class SeededSampler(Sampler):
    """Samples as another sampler does, and gives each image the key of its draws.

    The key is a hash of (seed, epoch, index); with ``InfiniteSampler`` the pass over
    the data takes the place of the epoch. The data set is told to read by it, see
    :class:`KeyedReader`. So augmentations do not depend on the worker that makes them,
    the number of workers, ``persistent_workers``, the process, or on whether the run
    was resumed. The order of an epoch follows a hash of (seed, epoch).

    A sampler other than mmengine's two may yield an image several times in an epoch;
    then its position and the process take part in the key, too.

    Args:
        dataset: The data set.
        sampler: Config of the sampler to follow; a ``seed`` in it stands for ``seed``.
        seed: Seed of the run, equal on all processes; by default the processes agree
            on a random one.
    """

    def __init__(
        self, dataset: Dataset, sampler: dict[str, Any], seed: int | None = None
    ) -> None:
        own = sampler.get('seed')
        self.fixed = own is not None
        if (seed := seed if own is None else own) is None:
            seed = sync_random_seed()
        self.seed = int(seed)
        self.sampler = SAMPLERS.build(
            {**sampler, 'seed': self.seed}, default_args={'dataset': dataset}
        )
        self.dataset = dataset
        self.kind = sampler['type'].rpartition('.')[2]
        self.rank, self.world_size = get_dist_info()
        self.epoch = 0
        self._skipped = 0
        dataset.__getitems__ = KeyedReader(dataset)  # type: ignore[attr-defined]

    def set_seed(self, seed: int) -> None:
        """Set the seed of the run, unless the config of the sampler has its own."""
        if not self.fixed:
            self.seed = seed

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the next iteration."""
        self.epoch = epoch

    def skip(self, num_samples: int) -> None:
        """Let the next iteration start later.

        Args:
            num_samples: How many of this process's indices to leave out; with a
                sampler that ends, of its epoch.
        """
        self._skipped = num_samples

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[int]:
        # Run at the first index: PyTorch makes iterators that it does not use.
        skipped, self._skipped = self._skipped, 0
        if self.kind == 'InfiniteSampler':
            yield from self._infinite(skipped)
        else:
            yield from self._of_epoch(self.epoch, skipped)

    def _of_epoch(self, epoch: int, skipped: int) -> Iterator[int]:
        self.sampler.seed = seed_of(draw_key('order', self.seed, epoch))
        if hasattr(self.sampler, 'set_epoch'):
            self.sampler.set_epoch(epoch)
        base = draw_key('image', self.seed, epoch)
        if self.kind != 'DefaultSampler':
            base = draw_key('image', self.seed, epoch, self.rank)
        indices = enumerate(iter(self.sampler))
        for position, index in islice(indices, skipped, None):
            if not isinstance(index, int):
                yield index
            elif self.kind == 'DefaultSampler':
                yield SampleIndex(index, sub_key(base, index))
            else:
                yield SampleIndex(index, sub_key(sub_key(base, position), index))

    def _infinite(self, skipped: int) -> Iterator[int]:
        self.sampler.seed = seed_of(draw_key('order', self.seed))
        self.sampler.skip(skipped)
        size = len(self.dataset)  # type: ignore[arg-type]
        over, base = -1, 0
        for position, index in enumerate(self.sampler, start=skipped):
            if over != (number := (position * self.world_size + self.rank) // size):
                over, base = number, draw_key('image', self.seed, number)
            yield SampleIndex(index, sub_key(base, index))


def use_seeded_sampler(cfg: Config) -> None:
    """Let the training of a config draw by image, in place.

    Args:
        cfg: Config of a runner; other configs are left alone, and so are data
            loaders without a sampler.
    """
    loader = cfg.get('train_dataloader')
    if not isinstance(loader, ConfigDict):
        return
    sampler, batches = loader.get('sampler'), loader.get('batch_sampler')
    if isinstance(sampler, dict) and sampler.get('type') != NAME:
        loader.sampler = ConfigDict(type=NAME, sampler=sampler)
    if isinstance(batches, dict) and batches.get('type') != BATCH_NAME:
        loader.batch_sampler = ConfigDict(type=BATCH_NAME, batch_sampler=batches)


def drop_worker_settings(node: Any) -> None:
    """Drop what PyTorch refuses beside ``num_workers=0``, in place.

    Args:
        node: A config, or a part of one; data loaders are found at any depth.
    """
    if isinstance(node, dict):
        if node.get('num_workers') == 0:
            for key in ('persistent_workers', 'prefetch_factor', 'timeout'):
                node.pop(key, None)
            node.pop('multiprocessing_context', None)
        children = list(node.values())
    else:
        children = list(node) if isinstance(node, (list, tuple)) else []
    for child in children:
        drop_worker_settings(child)
