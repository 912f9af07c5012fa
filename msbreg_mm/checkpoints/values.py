"""Turn whatever a file calls a tensor into a plain one, or say why not."""

import re
from collections.abc import Mapping
from typing import Any

import torch
from numpy import ndarray
from torch import Tensor

from msbreg_mm.checkpoints.errors import CheckpointError
from msbreg_mm.checkpoints.files import PathLike, weight_files

# Expanded and sparse tensors claim more than the file holds; so many bytes of all
# of them together are written out. This project's choice.
MOST_EXPANDED = 256 << 20
_PLAIN = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
# Buffers that count or point; everything else of a backbone is a real number.
_WHOLE = re.compile(r'(^|[._])(num_batches_tracked|\w*index|\w*ids|\w*mask)$')


class PlainTensors:
    """Converts the tensors of one file, and keeps what a user should know.

    Args:
        path: Of the file, for messages.
    """

    def __init__(self, path: PathLike) -> None:
        self.path = path
        self._size = sum(file.stat().st_size for file in weight_files(path))
        self.notes: list[str] = []
        self._expanded = 0
        self._changed: dict[str, list[str]] = {}

    def convert(self, state: Mapping[str, Any]) -> dict[str, Tensor]:
        """Convert all values.

        Args:
            state: Name → tensor or numpy array.

        Returns:
            Dense real tensors with memory of their own size; floating point but for
            counters and indices.

        Raises:
            CheckpointError: If one has no values, is no real number, or claims far
                more memory than the file has.
        """
        plain = {key: self._plain(key, value) for key, value in state.items()}
        for what, keys in self._changed.items():
            self.notes.append(f'{len(keys)} {what} tensors were converted to float32')
        self._changed.clear()
        return plain

    def _plain(self, key: str, value: Any) -> Tensor:
        if isinstance(value, ndarray):
            if value.nbytes > self._size:
                raise self._refuse(key, f'claims {value.nbytes:,} bytes')
            value = from_numpy(value)
            if value is None:
                raise self._refuse(key, 'a numpy array that torch cannot read')
        value = value.detach()
        if value.is_meta:
            raise self._refuse(key, 'without values (device meta)')
        try:
            value = self._dense(key, value)
            value = self._real(key, value)
        except (RuntimeError, MemoryError, NotImplementedError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise self._refuse(
                key, f'of {_kind(value)}, unreadable: {reason}'
            ) from None
        if key.endswith('weight') and (value.ndim == 0 or value.numel() == 0):
            raise self._refuse(key, f'of shape {tuple(value.shape)}')
        return value

    def _dense(self, key: str, value: Tensor) -> Tensor:
        if value.is_nested or value.layout is torch.jagged:
            raise self._refuse(key, 'a nested tensor')
        if value.is_quantized:
            self._changed.setdefault('quantised', []).append(key)
            value = value.dequantize()
        size = value.numel() * value.element_size()
        if value.layout is not torch.strided:
            self._claim(key, size)
            with torch.sparse.check_sparse_tensor_invariants():
                return _validated(value).to_dense()
        if size > value.untyped_storage().nbytes():
            self._claim(key, size)
            return value.contiguous()
        return value

    def _real(self, key: str, value: Tensor) -> Tensor:
        if value.dtype in _PLAIN:
            return value
        if value.is_complex():
            raise self._refuse(key, f'complex ({value.dtype})')
        if not value.is_floating_point():
            if _WHOLE.search(key):
                return value
            raise self._refuse(key, f'of whole numbers ({value.dtype})')
        self._changed.setdefault(_kind(value), []).append(key)
        return value.float()

    def _claim(self, key: str, size: int) -> None:
        self._expanded += size
        if self._expanded > MOST_EXPANDED:
            raise self._refuse(
                key, f'claims {size:,} bytes by repeating or leaving out values'
            )

    def _refuse(self, key: str, what: str) -> CheckpointError:
        verb = '' if what.startswith('claims') else 'is '
        return CheckpointError(
            f'{self.path}: {key} {verb}{what}; expected a dense tensor of real '
            'numbers. Convert the file where it was made'
        )


def from_numpy(value: ndarray) -> Tensor | None:
    """Make a tensor of an array; ``None`` if torch has no such numbers."""
    if value.dtype.kind not in 'fiubc':
        return None
    try:
        # Of the machine's byte order and with positive strides.
        return torch.as_tensor(
            value.astype(value.dtype.newbyteorder('='), order='C', copy=True)
        )
    except (TypeError, ValueError, MemoryError):
        return None


def _validated(value: Tensor) -> Tensor:
    """Build a sparse tensor again; a file's indices may point anywhere."""
    if value.layout is torch.sparse_coo:
        return torch.sparse_coo_tensor(
            value._indices(), value._values(), value.shape, check_invariants=True
        )
    if value.layout in (torch.sparse_csr, torch.sparse_bsr):
        parts = value.crow_indices(), value.col_indices()
    else:
        parts = value.ccol_indices(), value.row_indices()
    return torch.sparse_compressed_tensor(
        *parts, value.values(), value.shape, layout=value.layout, check_invariants=True
    )


def _kind(value: Tensor) -> str:
    return str(value.dtype).removeprefix('torch.')
