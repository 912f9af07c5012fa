"""Training: hooks, loops, crash-safe checkpoints and the launcher of the tools."""

from . import atomic_backend, cpu_amp, hooks, probe_loop

__all__ = ['atomic_backend', 'cpu_amp', 'hooks', 'probe_loop']
