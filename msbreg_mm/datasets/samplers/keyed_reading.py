"""Reading images each of which draws by its own key."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from torch.utils.data import Dataset, get_worker_info

from msbreg_mm.utils.keys import generators_kept, seed_generators


class SampleIndex(int):
    """Index of an image that carries the key of its random draws.

    It travels from the sampler to the workers, so that a worker knows the epoch
    even if it outlives it.

    Attributes:
        key: In [0, 2^64).
    """

    key: int

    def __new__(cls, index: int, key: int) -> 'SampleIndex':
        """Make the index."""
        self = super().__new__(cls, index)
        self.key = key
        return self

    def __getnewargs__(self) -> tuple[int, int]:  # type: ignore[override]
        return int(self), self.key

    def __getstate__(self) -> None:
        return None


class KeyedReader:
    """Reads a batch: the global generators start anew before each image.

    It is put in a data set's ``__getitems__``, by which PyTorch's data loader reads a
    batch at once; ``dataset[i]`` is as before. Whatever a pipeline draws, from
    Python's, NumPy's or PyTorch's global generator, follows the key of the image, and
    so does another image that mmengine takes in place of a broken one. In the process
    that trains (``num_workers=0``) the generators are afterwards what they were.

    Not reached: generators of a transform's own (albumentations), and transforms that
    remember earlier images (mmdet's ``CachedMosaic``).

    Args:
        dataset: The data set.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __call__(self, indices: Sequence[int]) -> list[Any]:
        """Read the images of a batch."""
        samples = []
        with nullcontext() if get_worker_info() else generators_kept():
            for index in indices:
                if isinstance(index, SampleIndex):
                    seed_generators(index.key)
                    index = int(index)
                samples.append(self.dataset[index])
        return samples

    def __deepcopy__(self, memo: dict[int, Any]) -> 'KeyedReader':
        # A copy of the data set reads itself; the data are not copied for the reader.
        return KeyedReader(memo.get(id(self.dataset), self.dataset))
