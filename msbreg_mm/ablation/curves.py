"""Curves of a pretraining: from its log to positions and values."""

from collections.abc import Iterable

from msbreg_mm.runs.log import Log

EFFECTIVE_RANK = 'effective_rank'
_READINGS = 'collapsed_readings'
# Readings after this part of the training say whether it ended collapsed.
_LATE = 0.9
# What msbreg_mm.OnlineProbeHook logs begins so; its cost is no result.
_PROBE = 'probe/'
_COST = 'probe/seconds'


def curve(log: Log, key: str) -> dict[float, float]:
    """Read a scalar's curve: percent of the training → value.

    A scalar that is read less often than the log is written repeats its last
    value; repeated values are left out.

    Args:
        log: Log of a run.
        key: Name of the scalar.
    """
    lines = [line for line in log.train if 'iter' in line]
    points: dict[float, float] = {}
    previous = None
    for line in lines:
        value = line.get(key)
        if isinstance(value, (int, float)) and value != previous:
            points[100 * line['iter'] / lines[-1]['iter']] = float(value)
            previous = value
    end = max((position for position, _ in log.val), default=0.0)
    for position, metrics in log.val:
        if key in metrics and end:
            points[100 * position / end] = metrics[key]
    return points


def curve_keys(logs: Iterable[Log]) -> list[str]:
    """Name the scalars whose curves are drawn: online probes, effective rank."""
    keys: dict[str, None] = {}
    for log in logs:
        keys |= dict.fromkeys(log.last())
        keys |= dict.fromkeys(key for _, metrics in log.val for key in metrics)
    probes = [key for key in keys if key.startswith(_PROBE) and key != _COST]
    return [*probes, *(key for key in (EFFECTIVE_RANK,) if key in keys)]


def ended_collapsed(log: Log) -> bool:
    """Whether there were collapsed readings in the last tenth of the training.

    Args:
        log: Log of a run with :class:`msbreg_mm.EmbeddingMonitorHook`.
    """
    lines = [line for line in log.train if 'iter' in line]
    end = _LATE * lines[-1]['iter']
    before = [line.get(_READINGS, 0) for line in lines[:-1] if line['iter'] <= end]
    return lines[-1].get(_READINGS, 0) > (before[-1] if before else 0)
