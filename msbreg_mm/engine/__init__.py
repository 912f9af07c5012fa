"""Training: hooks, loops, crash-safe checkpoints and the launcher of the tools."""

from msbreg_mm.checkpoints import guard
from msbreg_mm.engine import atomic_backend, cpu_amp, hooks, probe_loop
from msbreg_mm.engine.resuming import loops

__all__ = ['atomic_backend', 'cpu_amp', 'guard', 'hooks', 'loops', 'probe_loop']
