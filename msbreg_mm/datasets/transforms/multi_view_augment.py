"""All views of an image in one transform: decode once, augment with OpenCV."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from msbreg_mm.datasets.transforms import colour
from msbreg_mm.datasets.transforms.bad_images import BadImagePolicy, BadImages
from msbreg_mm.datasets.transforms.cropping import (
    CROP_DRAWS,
    Pyramid,
    draw_crop,
    needless_halvings,
    resize_crop,
)
from msbreg_mm.datasets.transforms.reading import (
    CorruptImageError,
    decode,
    jpeg_size,
    read_bytes,
)
from msbreg_mm.datasets.transforms.view_config import ViewConfig, byol_views
from msbreg_mm.registry import TRANSFORMS
from msbreg_mm.utils.errors import OptionError

# Beside those of the crop.
_DRAWS_PER_VIEW = 11
# Smaller files are hardly ever large enough for a reduced decode to apply.
_LARGE_FILE = 200_000  # bytes


@TRANSFORMS.register_module()
class MultiViewAugment(BaseTransform):
    """Read an image once and make K augmented views of it.

    Each view: random resized crop, flip, colour jitter, grey, blur, solarisation,
    in this order and with the distributions of torchvision's transforms
    (``docs/results/benchmarks.md`` has how close and how fast). Images smaller than a
    view are enlarged. All random numbers come from numpy's global state, as many
    for each view whatever becomes of it; a training seeds it by seed, epoch and image
    (:class:`msbreg_mm.datasets.samplers.KeyedReader`).

    OpenCV's own threads are switched off in the process (``cv2.setNumThreads(0)``)
    when the transform is built and again in each worker: a view is too small to
    split, and on few cores they fight with torch's.

    Required keys: ``img`` (decoded, (H, W, 3) uint8 BGR), else ``img_bytes`` (an
    encoded image), else ``img_path``. Sets ``img`` to the list of K views, each
    (size, size, 3) uint8 BGR. They are views of planar memory, which mmpretrain's
    ``PackInputs`` then takes without a copy.

    Args:
        views: Groups of views, each the arguments of :class:`ViewConfig`; by
            default BYOL's two asymmetric views of 224 pixels.
        exact_color: Whether to jitter every pixel exactly instead of by a fitted
            affine map, see :mod:`msbreg_mm.datasets.transforms.colour`.
        reduced_decode: Whether to decode a JPEG at 1/2, 1/4 or 1/8 of its size where
            even the smallest crop that can be drawn would be taken from an image
            so reduced. It changes the filter that shrinks, not which crops are
            drawn, and only large photographs qualify (from 2 megapixels with
            BYOL's views). Defaults to True.
        on_corrupt: ``'raise'`` an error for an image that cannot be read, or
            ``'skip'`` it: it is counted and reported, and mmengine's data set
            takes another image in its place while training.
        max_corrupt: How many files may be skipped, counted over a process and
            its workers. Defaults to 100, this project's choice. Both arguments hold
            outside a training; there the config's ``bad_images`` decides.
        max_pixels: An image with more pixels counts as corrupt; its header says so
            before it is decoded.
        backend_args: File backend of mmengine; local files by default.

    Raises:
        OptionError: If there is no view, a key is unknown or a value out of range.
    """

    def __init__(
        self,
        views: Sequence[Mapping[str, Any] | ViewConfig] | None = None,
        exact_color: bool = False,
        reduced_decode: bool = True,
        on_corrupt: str = 'raise',
        max_corrupt: int = 100,
        max_pixels: int = BadImagePolicy.max_pixels,
        backend_args: dict | None = None,
    ) -> None:
        groups = byol_views() if views is None else list(views)
        self.views = [
            group if isinstance(group, ViewConfig) else ViewConfig.from_dict(group)
            for group in groups
        ]
        if not self.views:
            raise OptionError('views is empty: K = 0, at least 1 view is needed')
        if on_corrupt not in ('raise', 'skip'):
            raise OptionError(
                f"on_corrupt must be 'raise' or 'skip', got {on_corrupt!r}"
            )
        if max_corrupt < 0:
            raise OptionError(f'max_corrupt must be at least 0, got {max_corrupt}')
        self.exact_color = exact_color
        self.reduced_decode = reduced_decode
        self.on_corrupt = on_corrupt
        self.max_pixels = max_pixels
        self.backend_args = backend_args
        self.skipped = BadImages(max_corrupt)
        self._expanded = [view for view in self.views for _ in range(view.num_views)]
        cv2.setNumThreads(0)

    @property
    def num_views(self) -> int:
        """K, the number of views of an image."""
        return len(self._expanded)

    def guard(self, max_pixels: int, bad_images: BadImages | None) -> None:
        """Follow the rules of a training: what is too large, and who counts."""
        self.max_pixels = max_pixels
        self.on_corrupt = 'raise' if bad_images is None else 'skip'
        self.skipped = bad_images or self.skipped

    def transform(self, results: dict) -> dict | None:
        """Replace the image by its views.

        Returns:
            The results, or None if the image is corrupt and skipped.

        Raises:
            CorruptImageError: If the image cannot be read or is too large.
            ValueError: If ``img`` is not (H, W, 3) uint8.
        """
        if cv2.getNumThreads() > 1:
            cv2.setNumThreads(0)
        try:
            image = self._load(results)
        except CorruptImageError as error:
            if self.on_corrupt == 'raise':
                raise
            self.skipped.add(_name_of(results), error)
            return None
        pyramid = Pyramid(image)
        shape = self.num_views, _DRAWS_PER_VIEW + CROP_DRAWS
        draws = np.random.random_sample(shape).tolist()
        results['img'] = [
            self._augment(pyramid, view, draw)
            for view, draw in zip(self._expanded, draws, strict=True)
        ]
        return results

    def _load(self, results: dict) -> np.ndarray:
        image = results.get('img')
        if image is None:
            path = results.get('img_path')
            encoded = results.get('img_bytes')
            if encoded is None:
                if path is None:
                    raise KeyError('MultiViewAugment needs img, img_bytes or img_path')
                encoded = read_bytes(path, self.backend_args, self.max_pixels)
            halvings = self._halvings(encoded)
            return decode(encoded, path or 'img_bytes', halvings, self.max_pixels)
        shape = getattr(image, 'shape', None)
        dtype = getattr(image, 'dtype', type(image))
        if dtype != np.uint8 or shape is None or len(shape) != 3 or shape[2] != 3:
            raise OptionError(
                f'MultiViewAugment needs img as (H, W, 3) uint8, got {shape} {dtype}; '
                'drop what converts it before'
            )
        return image

    def _halvings(self, encoded: np.ndarray | bytes) -> int:
        """Return how often the image is halved while it is decoded."""
        if not self.reduced_decode or len(encoded) < _LARGE_FILE:
            return 0
        size = jpeg_size(encoded)
        return 0 if size is None else needless_halvings(self.views, *size)

    def _augment(
        self, pyramid: Pyramid, view: ViewConfig, draw: Sequence[float]
    ) -> np.ndarray:
        height, width = pyramid.levels[0].shape[:2]
        box = draw_crop(view, height, width, draw[_DRAWS_PER_VIEW:])
        image = resize_crop(pyramid, box, view.size, view.interpolation)
        if draw[0] < view.flip_prob:
            image = cv2.flip(image, 1)
        if draw[1] < view.jitter_prob:
            factors = (
                1 + view.brightness * (2 * draw[2] - 1),
                1 + view.contrast * (2 * draw[3] - 1),
                1 + view.saturation * (2 * draw[4] - 1),
                view.hue * (2 * draw[5] - 1),
            )
            order = colour.ORDERS[int(draw[6] * len(colour.ORDERS))]
            image = colour.jitter(image, factors, order, self.exact_color)
        if draw[7] < view.gray_prob:
            # One channel until the end: blurring it costs a third.
            image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        if draw[8] < view.blur_prob:
            low, high = view.blur_sigma
            image = colour.blur(image, low + (high - low) * draw[9])
        if draw[10] < view.solarize_prob:
            image = cv2.LUT(image, colour.solarize_table(view.solarize_threshold))
        return _planar(image)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(views={self.views}, on_corrupt={self.on_corrupt!r})'
        )


def _name_of(results: dict) -> str:
    """Name an image: its file, or bytes that came without one."""
    if path := results.get('img_path'):
        return str(path)
    return f'img_bytes {hashlib.sha256(results["img_bytes"]).hexdigest()}'


def _planar(image: np.ndarray) -> np.ndarray:
    """Return (H, W, 3) whose memory is laid out as (3, H, W)."""
    planes = np.empty((3, *image.shape[:2]), np.uint8)
    if image.ndim == 2:
        planes[:] = image
    else:
        cv2.split(image, list(planes))
    return planes.transpose(1, 2, 0)
