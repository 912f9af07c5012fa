"""Reading images each of which draws by its own key."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from torch.utils.data import Dataset, get_worker_info

from msbreg_mm.utils.keys import generators_kept, seed_generators

# Package and name of transforms that draw from NumPy's generator or none.
_QUICK = {('msbreg_mm', 'MultiViewAugment'), ('mmpretrain', 'PackInputs')}


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
        self._python: bool | None = None

    def __call__(self, indices: Sequence[int]) -> list[Any]:
        """Read the images of a batch."""
        if self._python is None:
            self._python = _may_draw_from_python(self.dataset)
        samples = []
        with nullcontext() if get_worker_info() else generators_kept():
            for index in indices:
                if isinstance(index, SampleIndex):
                    seed_generators(index.key, python=self._python)
                    index = int(index)
                samples.append(self.dataset[index])
        return samples

    def __deepcopy__(self, memo: dict[int, Any]) -> 'KeyedReader':
        # A copy of the data set reads itself; the data are not copied for the reader.
        return KeyedReader(memo.get(id(self.dataset), self.dataset))


def _may_draw_from_python(dataset: Dataset) -> bool:
    """Whether a pipeline may draw from the generator that is slow to start.

    Only of pipelines that are so quick that it matters it is known that they do not.
    """
    transforms = getattr(getattr(dataset, 'pipeline', None), 'transforms', None)
    if not transforms:
        return True
    kinds = {
        (type(t).__module__.partition('.')[0], type(t).__name__) for t in transforms
    }
    return not kinds <= _QUICK
