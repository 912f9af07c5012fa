"""Reading mmengine's ``scalars.json``: progress, curves and final metrics."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msbreg_mm.runs.folder import find_scalars
from msbreg_mm.runs.schedule import Schedule
from msbreg_mm.utils.typed import is_number

_PLACES = ('iter', 'step', 'epoch')
_LONGEST_LINE = 1 << 20
# In validation lines next to the metrics.
_NOT_METRICS = {'data_time', 'time', 'step', 'epoch', 'iter', 'memory'}


@dataclass
class Log:
    """The scalars of a run, over all its attempts.

    Attributes:
        train: Lines of the training, in order.
        val: ``(position, metrics)`` of the validations; the position counts
            epochs or iterations as the schedule does.
        files: Where the lines come from.
    """

    train: list[dict[str, Any]] = field(default_factory=list)
    val: list[tuple[float, dict[str, float]]] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)

    def position(self, schedule: Schedule) -> float:
        """How far the training is, in the schedule's unit."""
        if not self.train:
            return self.val[-1][0] if self.val else 0.0
        last = self.train[-1]
        if schedule.unit == 'iter':
            return float(last.get('iter', last.get('step', 0)))
        epoch, iteration = last.get('epoch', 0), last.get('iter', 0)
        # An epoch's length shows in the lines of the epochs before this one.
        done = [line for line in self.train if 0 < line.get('epoch', 0) < epoch]
        length = max((line['iter'] / line['epoch'] for line in done), default=0)
        if length <= 0:
            return max(float(epoch) - 1.0, 0.0)
        begun = max(float(epoch) - 1.0, min(iteration / length, float(epoch)))
        return max(begun, self.val[-1][0] if self.val else 0.0)

    def is_complete(self, schedule: Schedule) -> bool:
        """Whether the last validation came after the last training step."""
        if not self.val:
            return False
        # Iterations between two lines of the log are not seen here.
        slack = schedule.log_interval if schedule.unit == 'iter' else 0
        return self.val[-1][0] >= schedule.total - slack

    def last(self) -> dict[str, float]:
        """Last value of every scalar of the training."""
        found: dict[str, float] = {}
        for line in self.train:
            found |= _metrics(line)
        return found

    def curve(self, key: str) -> tuple[list[float], list[float]]:
        """Positions and values of a validation metric."""
        points = [(x, metrics[key]) for x, metrics in self.val if key in metrics]
        return [x for x, _ in points], [y for _, y in points]


def read_log(work_dir: Path, by_iter: bool = False) -> Log:
    """Read all attempts of a run; a resumed attempt replaces what it repeats.

    Args:
        work_dir: Work directory of the run.
        by_iter: Whether the schedule counts iterations.

    Returns:
        The log; empty if nothing was logged yet.
    """
    log = Log()
    for file in find_scalars(work_dir):
        lines = list(_lines(file))
        if not lines:
            continue
        log.files.append(file)
        _append(log, lines, by_iter)
    return log


def train_curve(
    lines: Sequence[dict[str, Any]], key: str
) -> tuple[list[float], list[float]]:
    """Iterations and values of a training scalar."""
    points = [(line, line[key]) for line in lines if is_number(line.get(key))]
    return (
        [float(line.get('iter', line.get('step', i))) for i, (line, _) in
         enumerate(points)],
        [float(value) for _, value in points],
    )  # fmt: skip


def _append(log: Log, lines: list[dict[str, Any]], by_iter: bool) -> None:
    start = next((line['iter'] for line in lines if _is_train(line)), None)
    if start is not None:
        # A run resumes from a checkpoint that may be older than the last line.
        log.train = [line for line in log.train if line.get('iter', 0) < start]
    for line in lines:
        if _is_train(line):
            log.train.append(line)
        elif 'step' in line:  # a detector that found nothing has no metrics
            metrics = _metrics(line)
            position = float(line.get('step', 0))
            if by_iter and log.train:
                # mmengine writes the epoch as step unless log_metric_by_epoch is
                # off, which says nothing with an infinite sampler.
                position = max(position, float(log.train[-1].get('iter', 0)))
            log.val = [(x, values) for x, values in log.val if x < position]
            log.val.append((position, metrics))


def _is_train(line: dict[str, Any]) -> bool:
    return 'iter' in line and ('lr' in line or 'loss' in line)


def _metrics(line: dict[str, Any]) -> dict[str, float]:
    return {
        key: float(value)
        for key, value in line.items()
        if key not in _NOT_METRICS and is_number(value)
    }


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    """Lines whose places are numbers; others are of no use, whoever wrote them."""
    try:
        if not file.is_file():
            return
        with file.open(encoding='utf-8', errors='replace') as stream:
            for line in stream:
                content = _line(line)
                if content is not None:
                    yield content
    except OSError:
        return


def _line(text: str) -> dict[str, Any] | None:
    try:
        content = json.loads(text) if len(text) <= _LONGEST_LINE else None
    except (ValueError, RecursionError):
        return None  # the last line of a killed run
    if not isinstance(content, dict):
        return None
    places = (content[key] for key in _PLACES if key in content)
    return content if all(is_number(place) for place in places) else None
