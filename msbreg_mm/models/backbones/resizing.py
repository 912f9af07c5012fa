"""How position embeddings follow the image size: each library's own rule.

The same weights give other features under another rule: at twice the native size
0.4 to 0.8 standard deviations. So a checkpoint brings its rule along
(:mod:`msbreg_mm.checkpoints.blueprints`), and the backbone applies it.
"""

from dataclasses import dataclass
from typing import Any

from timm.layers import resize_rel_pos_bias_table
from torch import Tensor, cat
from torch.nn.functional import interpolate

Size = tuple[int, int]


@dataclass(frozen=True)
class Rule:
    """One library's way to another image size.

    Args:
        mode: Of :func:`torch.nn.functional.interpolate`.
        antialias: Whether the filter widens when the grid shrinks.
        offset: Added to the new grid before it becomes a scale factor; 0 asks for
            the size itself.
        square: Interpolate to the square around the new grid, then cut it out.
        tables: How tables of relative positions are resized: ``'geometric'`` (BEiT's
            own, timm's too) or ``'bilinear'``.
        square_windows: Whether a shifted window of Swin that spans one side of the
            map is not shifted along the other one either.
        native_windows: Whether windows and shifts stay those of the native size.
    """

    mode: str = 'bicubic'
    antialias: bool = False
    offset: float = 0.0
    square: bool = False
    tables: str = 'bilinear'
    square_windows: bool = True
    native_windows: bool = False


RULES = {
    # timm; DINOv2 with registers, TIPS
    'timm': Rule(antialias=True, tables='geometric', square_windows=False),
    # transformers, mmpretrain, MAE, I-JEPA, and Swin's authors
    'plain': Rule(),
    # transformers' Swin V2
    'native': Rule(native_windows=True),
    # DINO, iBOT, DINOv2 without registers, Franca
    'dino': Rule(offset=0.1),
    # SigLIP 2 of any aspect ratio
    'bilinear': Rule(mode='bilinear', antialias=True),
    # RADIO: its positions are those of the longer side
    'radio': Rule(mode='bilinear', square=True),
}


def resize_positions(
    positions: Tensor, prefix: int, old: Size, new: Size, rule: Rule
) -> Tensor:
    """Interpolate absolute position embeddings.

    Args:
        positions: (1, prefix + old tokens, C).
        prefix: Embeddings of tokens that are no patches.
        old: Grid of the embeddings (rows, columns).
        new: Grid of the image.
        rule: See :data:`RULES`.

    Returns:
        (1, prefix + new tokens, C).
    """
    if old == new:
        return positions
    grid = positions[:, prefix:].float().reshape(1, *old, -1).permute(0, 3, 1, 2)
    target: Size = (max(new), max(new)) if rule.square else new
    size: dict[str, Any] = {'size': target}
    if rule.offset:
        scales = [(n + rule.offset) / o for n, o in zip(target, old, strict=True)]
        size = {'scale_factor': tuple(scales)}
    grid = interpolate(grid, mode=rule.mode, antialias=rule.antialias, **size)
    grid = grid[:, :, : new[0], : new[1]].flatten(2).transpose(1, 2)
    return cat([positions[:, :prefix], grid.to(positions.dtype)], dim=1)


def resize_table(table: Tensor, old: Size, new: Size, rule: Rule) -> Tensor:
    """Interpolate a table of relative position biases.

    Args:
        table: ((2 · rows − 1)(2 · columns − 1) + extra, heads); the last rows belong
            to class tokens.
        old: Window of the table (rows, columns).
        new: Window of the image.
        rule: See :data:`RULES`.

    Returns:
        The same for the new window.
    """
    if old == new:
        return table
    before = (2 * old[0] - 1, 2 * old[1] - 1)
    after = (2 * new[0] - 1, 2 * new[1] - 1)
    extra = table.shape[0] - before[0] * before[1]
    shape = (after[0] * after[1] + extra, table.shape[1])
    if rule.tables == 'geometric':
        return resize_rel_pos_bias_table(table, new, shape, old)
    grid = table[: before[0] * before[1]].reshape(1, *before, -1).permute(0, 3, 1, 2)
    grid = interpolate(grid, size=after, mode='bilinear')
    grid = grid.flatten(2).squeeze(0).transpose(0, 1)
    return cat([grid, table[before[0] * before[1] :]])
