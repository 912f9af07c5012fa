"""How one group of views is augmented, with every range checked."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from msbreg_mm.utils.errors import OptionError

Range = tuple[float, float]

INTERPOLATIONS = ('bicubic', 'bilinear', 'area')
# Upper ends of what starts at 0.
_LIMITS = {
    'flip_prob': 1,
    'jitter_prob': 1,
    'brightness': 1,
    'contrast': 1,
    'saturation': 1,
    'hue': 0.5,
    'gray_prob': 1,
    'blur_prob': 1,
    'solarize_prob': 1,
    'solarize_threshold': 256,
}
_RANGE_LIMITS = {'crop_scale': 1.0, 'crop_ratio': math.inf, 'blur_sigma': math.inf}


@dataclass(frozen=True)
class ViewConfig:
    """Augmentations of ``num_views`` views; the defaults are BYOL's first view.

    Grill et al., "Bootstrap your own latent", 2020, arXiv 2006.07733, appendix B,
    as mmpretrain's ``imagenet_bs32_byol.py`` writes it.

    Args:
        num_views: How many views are drawn in this way, at least 1.
        size: Side of the square view in pixels.
        crop_scale: Range of the crop's share of the image's area, in (0, 1].
        crop_ratio: Range of the crop's width / height, log-uniform.
        interpolation: ``'bicubic'``, ``'bilinear'`` or ``'area'``. The first two
            name the filter of views that enlarge the crop; see
            :func:`msbreg_mm.datasets.transforms.cropping.resize_crop` for how
            aliasing is avoided in those that shrink it.
        flip_prob: Probability of a horizontal flip.
        jitter_prob: Probability of changing brightness, contrast, saturation
            and hue, in random order.
        brightness: Largest relative change of brightness; 0.4 draws factors from
            [0.6, 1.4].
        contrast: Largest relative change of contrast.
        saturation: Largest relative change of saturation.
        hue: Largest rotation of the hue in turns, in [0, 0.5].
        gray_prob: Probability of removing colour.
        blur_prob: Probability of a Gaussian blur.
        blur_sigma: Range of its standard deviation in pixels of the view.
        solarize_prob: Probability of inverting the bright pixels.
        solarize_threshold: Lowest level that is inverted, in [0, 256].

    Raises:
        ValueError: If a value is outside its range.
    """

    num_views: int = 1
    size: int = 224
    crop_scale: Range = (0.08, 1.0)
    crop_ratio: Range = (3 / 4, 4 / 3)
    interpolation: str = 'bicubic'
    flip_prob: float = 0.5
    jitter_prob: float = 0.8
    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.2
    hue: float = 0.1
    gray_prob: float = 0.2
    blur_prob: float = 1.0
    blur_sigma: Range = (0.1, 2.0)
    solarize_prob: float = 0.0
    solarize_threshold: int = 128

    def __post_init__(self) -> None:
        for name in ('num_views', 'size'):
            value = getattr(self, name)
            whole = isinstance(value, int) and not isinstance(value, bool)
            self._require(whole and value >= 1, name, 'an integer ≥ 1')
        for name, high in _LIMITS.items():
            value = getattr(self, name)
            fits = isinstance(value, (int, float)) and 0 <= value <= high
            self._require(fits, name, f'a number in [0, {high:g}]')
        self._require(
            self.interpolation in INTERPOLATIONS,
            'interpolation',
            f'one of {", ".join(INTERPOLATIONS)}',
        )
        for name, high in _RANGE_LIMITS.items():
            value = getattr(self, name)
            fits = (
                isinstance(value, Sequence)
                and len(value) == 2
                and all(isinstance(bound, (int, float)) for bound in value)
                and 0 < value[0] <= value[1] <= high
            )
            limit = '' if high == math.inf else f' ≤ {high:g}'
            self._require(fits, name, f'a pair 0 < low ≤ high{limit}')
            object.__setattr__(self, name, (float(value[0]), float(value[1])))

    def _require(self, holds: bool, name: str, expected: str) -> None:
        if not holds:
            raise OptionError(
                f'views: {name} must be {expected}, got {getattr(self, name)!r}'
            )

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> 'ViewConfig':
        """Build from one entry of ``views``, naming keys that do not exist.

        Raises:
            OptionError: If a key is unknown or a value outside its range.
        """
        if not isinstance(config, Mapping):
            raise OptionError(
                f'views must be a list of dicts, one per group of views, got {config!r}'
            )
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(config) - set(known))
        if unknown:
            raise OptionError(
                f'views: unknown key {", ".join(unknown)}; known are {", ".join(known)}'
            )
        return cls(**config)


def byol_views(size: int = 224) -> list[ViewConfig]:
    """Return BYOL's two asymmetric views: one always blurred, one solarised."""
    return [
        ViewConfig(size=size),
        ViewConfig(size=size, blur_prob=0.1, solarize_prob=0.2),
    ]
