"""Whether a task's result depends on the seed."""

from collections.abc import Mapping
from typing import Any


def draws_nothing(cfg: Mapping[str, Any]) -> bool:
    """Whether a task gives the same result for every seed of one checkpoint.

    That is so for probes of frozen features that draw nothing
    (:attr:`msbreg_mm.evaluation.probes.Probe.draws`).

    Args:
        cfg: Resolved config.
    """
    loop = cfg.get('train_cfg') or {}
    if not str(loop.get('type')).endswith('ProbeLoop'):
        return False
    import msbreg_mm.evaluation.probes  # noqa: F401
    from msbreg_mm.registry import PROBES

    probes = [PROBES.get(str(item.get('type'))) for item in loop.get('probes') or ()]
    return bool(probes) and not any(getattr(probe, 'draws', True) for probe in probes)
