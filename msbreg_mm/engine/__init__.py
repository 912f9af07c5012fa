"""Training: hooks, loops, crash-safe checkpoints and the launcher of the tools."""

from msbreg_mm.checkpoints import guard
from msbreg_mm.engine import (
    atomic_backend,
    cpu_amp,
    hooks,
    object_probe_loop,
    probe_loop,
)
from msbreg_mm.engine.resuming import loops

__all__ = [
    'atomic_backend',
    'cpu_amp',
    'guard',
    'hooks',
    'loops',
    'object_probe_loop',
    'probe_loop',
]
