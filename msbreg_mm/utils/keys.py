"""Random draws from keys: what is drawn follows the key and nothing else.

A generator that goes on from draw to draw makes everything depend on all that was
drawn before: on the number of workers, on the process, on where a run was resumed.
Here generators start anew at each key, a hash of what the draws may depend on, e.g.
(seed, epoch, image). Hashes, not sums: seed 0 of rank 1 is not seed 1 of rank 0.
"""

import hashlib
import random
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

_PAIR = struct.Struct('<QQ')
_LOW = 0xFFFFFFFF
_stand_in = np.random.MT19937(0)


def draw_key(*parts: int | str) -> int:
    """Hash parts to a key.

    Args:
        parts: What the draws depend on, in order; first what they are for.

    Returns:
        Integer in [0, 2^64).
    """
    text = '\0'.join(f'{type(part).__name__}{part}' for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def sub_key(key: int, index: int) -> int:
    """Hash a key and a number to a key; quicker than :func:`draw_key`.

    Args:
        key: In [0, 2^64).
        index: In [0, 2^64).

    Returns:
        Integer in [0, 2^64).
    """
    packed = _PAIR.pack(key, index)
    return int.from_bytes(hashlib.blake2b(packed, digest_size=8).digest())


def seed_of(key: int) -> int:
    """Turn a key into a seed that every generator takes, in [0, 2^31)."""
    return key & 0x7FFFFFFF


def seed_generators(key: int, devices: bool = False, python: bool = True) -> None:
    """Start the global generators of Python, NumPy and PyTorch at a key.

    Args:
        key: In [0, 2^64).
        devices: Also those of CUDA devices in use; never in a data worker.
        python: Also Python's, which takes longer than the others together.
    """
    if python:
        random.seed(key)
    np.random.seed(key & _LOW)
    # The other half: NumPy's and PyTorch's generators are the same Mersenne twister,
    # of which both take 32 bits, and would draw the same numbers.
    torch.random.default_generator.manual_seed(key >> 32)
    if devices and torch.cuda.is_available() and torch.cuda.is_initialized():
        for index, generator in enumerate(torch.cuda.default_generators):
            generator.manual_seed(sub_key(key, index))


@contextmanager
def generators_kept() -> Iterator[None]:
    """Leave the global CPU generators as they were, also after an error.

    NumPy's gets another bit generator in the meantime, as copying its state takes 50
    µs. Only a normal number that it holds back (it makes two at a time) is dropped.

    Yields:
        Nothing.
    """
    # numpy's own types leave these two out.
    generators: Any = np.random
    python, numpy = random.getstate(), generators.get_bit_generator()
    default = torch.random.default_generator
    state = default.get_state()
    generators.set_bit_generator(_stand_in)
    try:
        yield
    finally:
        np.random.seed(0)  # forgets a normal number of the stand-in's
        generators.set_bit_generator(numpy)
        random.setstate(python)
        default.set_state(state)
