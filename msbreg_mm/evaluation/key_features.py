"""Keys of a transformer's last attention layer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook

from msbreg_mm.utils.errors import DataError


class Keys:
    """What :func:`catch_keys` saw."""

    def __init__(self) -> None:
        self._last: tuple[nn.Module, Tensor] | None = None

    def patches(self, count: int) -> Tensor:
        """Compute the keys of the patches.

        All heads side by side, as the projection gives them: before a
        normalisation or rotation of the keys.

        Args:
            count: Number of patches of the one image that was given; class and
                register tokens stand before them and are left out.

        Returns:
            (count, D) float32.

        Raises:
            DataError: If no attention layer over all patches ran.
        """
        tokens = self._last[1].shape if self._last else (0, 0)
        if self._last is None or tokens[0] != 1 or tokens[1] < count:
            raise DataError(
                'the backbone has no attention over all patches, so no keys; use its '
                "maps: facet='map'"
            )
        attention: Any = self._last[0]
        inputs = self._last[1][:, -count:]
        if getattr(attention, 'k_proj', None) is not None:
            return attention.k_proj(inputs)[0].float()
        joint = attention.qkv(inputs)[0].float()
        third = joint.shape[1] // 3
        return joint[:, third : 2 * third]


@contextmanager
def catch_keys() -> Iterator[Keys]:
    """Watch forward passes for attention layers; the last one's keys are kept.

    A hook on all modules of the process, as a network for another image size may
    be a copy of the one at hand. Layers are known by a projection ``qkv`` or
    ``k_proj``: those of mmpretrain's and timm's vision transformers.
    """
    keys = Keys()

    def note(module: nn.Module, args: tuple) -> None:
        joint = getattr(module, 'qkv', None)
        alone = getattr(module, 'k_proj', None)
        if isinstance(joint, nn.Linear) or isinstance(alone, nn.Linear):
            value = args[0] if args else None
            if isinstance(value, Tensor) and value.ndim == 3:
                keys._last = module, value

    handle = register_module_forward_pre_hook(note)
    try:
        with torch.no_grad():
            yield keys
    finally:
        handle.remove()
