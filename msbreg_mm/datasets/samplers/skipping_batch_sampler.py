"""A batch sampler that can start in the middle."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from mmengine.registry import DATA_SAMPLERS as SAMPLERS
from torch.utils.data import Sampler

from msbreg_mm.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class SkippingBatchSampler(Sampler):
    """Batches of another batch sampler, from a given one on.

    mmdet's ``AspectRatioBatchSampler`` holds images back, so that the place after k
    batches is found by making k batches of indices; no image is read for it.

    Args:
        sampler: Sampler of the images.
        batch_size: Images of a batch.
        batch_sampler: Config of the batch sampler.
    """

    def __init__(
        self, sampler: Sampler, batch_size: int, batch_sampler: dict[str, Any]
    ) -> None:
        self.batch_sampler = SAMPLERS.build(
            batch_sampler, default_args={'sampler': sampler, 'batch_size': batch_size}
        )
        self.sampler = sampler
        self.batch_size = getattr(self.batch_sampler, 'batch_size', batch_size)
        self.drop_last = getattr(self.batch_sampler, 'drop_last', False)
        self._skipped = 0

    def skip_batches(self, num_batches: int) -> None:
        """Let the next iteration leave out its first batches."""
        self._skipped = num_batches

    def __len__(self) -> int:
        return len(self.batch_sampler)

    def __iter__(self) -> Iterator[list[int]]:
        # Run at the first batch: PyTorch makes iterators that it does not use.
        skipped, self._skipped = self._skipped, 0
        yield from islice(self.batch_sampler, skipped, None)
