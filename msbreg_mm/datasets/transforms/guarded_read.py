"""A transform that reads a file, made to name the file and to replace the image."""

from typing import Any

from mmcv.transforms import BaseTransform, LoadAnnotations, LoadImageFromFile
from mmengine.dataset import BaseDataset, Compose

from msbreg_mm.datasets.transforms.bad_images import BadImagePolicy, BadImages
from msbreg_mm.datasets.transforms.multi_view_augment import MultiViewAugment
from msbreg_mm.datasets.transforms.reading import CorruptImageError, check_file
from msbreg_mm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class GuardedRead(BaseTransform):
    """Checks a file's header before another transform reads it.

    :func:`guard_reading` puts it around upstream's ``LoadImageFromFile`` and around
    ``LoadAnnotations`` where it reads a mask from a file.

    Args:
        transform: The transform, or its config.
        key: Key of the results that holds the path.
        max_pixels: See :class:`BadImagePolicy`.
        bad_images: Counts files that cannot be read and lets mmengine's data set
            take another image (None is returned); without it they are an error.
    """

    def __init__(
        self,
        transform: Any,
        key: str = 'img_path',
        max_pixels: int = BadImagePolicy.max_pixels,
        bad_images: BadImages | None = None,
    ) -> None:
        if isinstance(transform, dict):
            transform = Compose([transform]).transforms[0]
        self.inner = transform
        self.key = key
        self.max_pixels = max_pixels
        self.bad_images = bad_images

    def transform(self, results: dict) -> dict | None:
        """Read the file.

        Returns:
            The results, or None if the file cannot be read and is counted.

        Raises:
            CorruptImageError: If it cannot be read and there is no or too little
                room for bad images.
        """
        if results.get(self.key) is None:  # a set without masks
            return self.inner(results)
        path = str(results[self.key])
        try:
            return self._read(path, results)
        except CorruptImageError as error:
            if self.bad_images is None:
                raise
            self.bad_images.add(path, error)
            return None

    def _read(self, path: str, results: dict) -> dict | None:
        if '://' not in path and getattr(self.inner, 'backend_args', None) is None:
            check_file(path, self.max_pixels)
        try:
            return self.inner(results)
        # Whatever a decoder raises is the file's fault. A mask's reader also does
        # other work, whose faults (a missing key) are not.
        except Exception as error:
            if self.key != 'img_path' and isinstance(error, (AssertionError, KeyError)):
                raise
            reason = str(error) or type(error).__name__
            raise CorruptImageError(f'cannot decode {path!r}: {reason}') from error

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.inner!r})'


def guard_reading(
    dataset: Any, policy: BadImagePolicy, bad_images: BadImages | None
) -> None:
    """Guard what reads images in the pipelines of a built data set.

    Args:
        dataset: A data set of mmengine or a wrapper around some.
        policy: Its limit of pixels.
        bad_images: Takes what cannot be read; None makes it an error.
    """
    for leaf in leaf_datasets(dataset):
        pipeline = getattr(leaf, 'pipeline', None)
        transforms: list[Any] = getattr(pipeline, 'transforms', [])
        for index, transform in enumerate(transforms):
            if isinstance(transform, MultiViewAugment):
                transform.guard(policy.max_pixels, bad_images)
            elif key := _read_key(transform):
                transforms[index] = GuardedRead(
                    transform, key, policy.max_pixels, bad_images
                )
        if transforms and bad_images is not None and isinstance(leaf, BaseDataset):
            leaf.prepare_data = _NextInstead(leaf)


class _NextInstead:
    """Gives the next image of the list where a pipeline has none for this one.

    mmengine draws another at random, from the state that the augmentations of the
    images before have left; this one follows from the index alone.
    """

    def __init__(self, dataset: BaseDataset) -> None:
        self.dataset = dataset

    def __call__(self, index: int) -> Any:
        dataset = self.dataset
        for step in range(len(dataset)):
            at = (index + step) % len(dataset)
            data = type(dataset).prepare_data(dataset, at)
            if data is not None:
                return data
        return None


def _read_key(transform: Any) -> str | None:
    """Name the key whose file a transform reads, None if it reads none."""
    if isinstance(transform, LoadImageFromFile):
        # Its children read arrays, or several files.
        return 'img_path' if type(transform) is LoadImageFromFile else None
    if isinstance(transform, LoadAnnotations) and getattr(transform, 'with_seg', False):
        return 'seg_map_path'
    return None


def leaf_datasets(dataset: Any) -> list[Any]:
    """List the data sets inside RepeatDataset, ConcatDataset and the like."""
    if hasattr(dataset, 'datasets'):
        return [leaf for part in dataset.datasets for leaf in leaf_datasets(part)]
    if hasattr(dataset, 'dataset'):
        return leaf_datasets(dataset.dataset)
    return [dataset]
