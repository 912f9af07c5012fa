"""Rotary position embeddings that timm does not have."""

from typing import Any

from torch import Tensor, arange, cartesian_prod, cat, linspace, nn, pi, tensor, zeros

from msbreg_mm.models.backbones.resizing import Size


class VJEPA2Rope(nn.Module):
    """V-JEPA 2's rotation by time, row and column (Assran et al., arXiv 2506.09985).

    Of each head a third (of even size) turns by each, the rest not at all. Within a
    part the frequencies stand twice behind each other while neighbouring channels
    turn together: the authors' networks were trained so. An image is one time step.

    Args:
        dim: Channels of a head.
        grid: Side by which transformers' port counts rows, whatever the image is;
            0 takes the image's own.
    """

    def __init__(self, dim: int, grid: int = 0) -> None:
        super().__init__()
        self.dim, self.grid = dim, grid

    def get_embed(self, shape: Size) -> Tensor:
        """Sines and cosines, (rows · columns, 2 · dim)."""
        ids = arange(shape[0] * shape[1])
        rows, columns = (self.grid, self.grid) if self.grid else shape
        frame = rows * columns
        places = (ids // frame, ids % frame // columns, ids % frame % columns)
        part = 2 * (self.dim // 3 // 2)
        frequencies = 10000.0 ** -(arange(part // 2).float() / (part / 2))
        angles = [(p[:, None] * frequencies).repeat(1, 2) for p in places]
        angles.append(zeros(len(ids), self.dim - 3 * part))
        angle = cat(angles, dim=1)
        return cat([angle.sin(), angle.cos()], dim=1)


class CAPIRope(nn.Module):
    """CAPI's rotation (Darcet et al., 2025, arXiv 2502.08769).

    Rows and columns run from 0 to 1 whatever the image is; the registers stand around
    its edge.

    Args:
        dim: Channels of a head.
        registers: Number of register tokens, a multiple of 4.
    """

    def __init__(self, dim: int, registers: int) -> None:
        super().__init__()
        self.dim, self.registers = dim, registers

    def get_embed(self, shape: Size) -> Tensor:
        """Sines and cosines, (registers + rows · columns, 2 · dim)."""
        quarter = 7 * (7 / 7e-4) ** linspace(0, -1, self.dim // 4)
        twice = 2 * pi * quarter.repeat(2)
        nothing = zeros(self.dim // 2)
        patches = cartesian_prod(*(linspace(0, 1, n) for n in shape)).reshape(-1, 2)
        places = cat([self._edge(), patches])
        angle = places[:, :1] * cat([twice, nothing]) + places[:, 1:] * cat(
            [nothing, twice]
        )
        return cat([angle.sin(), angle.cos()], dim=1)

    def _edge(self) -> Tensor:
        side = self.registers // 4
        steps = [i / side for i in range(side)]
        around = [(c, 0.0) for c in steps] + [(1.0, c) for c in steps]
        around += [(1 - c, 1.0) for c in steps] + [(0.0, 1 - c) for c in steps]
        return tensor(around) if around else zeros(0, 2)


def set_rope(net: nn.Module, kind: str) -> None:
    """Give a network of timm's ``Eva`` class another rotation.

    Args:
        net: The network, with ``rope`` in use.
        kind: ``'vjepa2'``, ``'vjepa2-GRID'`` (see :class:`VJEPA2Rope`) or ``'capi'``.
    """
    attention: list[Any] = [
        module
        for module in net.modules()
        if hasattr(module, 'num_prefix_tokens') and module is not net
    ]
    name, _, grid = kind.partition('-')
    dim = int(attention[0].head_dim)
    if name == 'capi':
        registers = int(attention[0].num_prefix_tokens)
        net.rope = _OnDevice(CAPIRope(dim, registers))
        for module in attention:
            module.num_prefix_tokens = 0  # the registers turn, too
    else:
        net.rope = _OnDevice(VJEPA2Rope(dim, int(grid or 0)))


class _OnDevice(nn.Module):
    """Keeps the table of the last grid on the network's device."""

    def __init__(self, rope: VJEPA2Rope | CAPIRope) -> None:
        super().__init__()
        self.rope = rope
        self.register_buffer('place', zeros(()), persistent=False)
        self._kept: tuple[Size, Tensor] | None = None

    def get_embed(self, shape: Size) -> Tensor:
        """Of the wrapped rotation."""
        place: Tensor = self.get_buffer('place')
        shape = (int(shape[0]), int(shape[1]))
        kept = self._kept
        if kept is None or kept[0] != shape or kept[1].device != place.device:
            kept = self._kept = (shape, self.rope.get_embed(shape).to(place.device))
        return kept[1].to(place.dtype)
