"""Show a running suite: a live table, or plain lines where there is no terminal."""

import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from msbreg_mm.runs.log import read_log
from msbreg_mm.suite.runner import JobStatus, State

_STYLES = {
    State.PENDING: 'dim',
    State.RUNNING: 'bold cyan',
    State.ELSEWHERE: 'cyan',
    State.CACHED: 'dim green',
    State.DONE: 'green',
    State.FAILED: 'bold red',
    State.STOPPED: 'yellow',
}
# Seconds between two lines about a running job without a terminal.
_LINE_EVERY = 30.0
# Seconds between two looks into the logs of running jobs.
_READ_EVERY = 2.0


class SuiteView:
    """Callable for ``watch`` of :func:`~msbreg_mm.suite.runner.run_suite`.

    Args:
        console: Where to show; standard output by default.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console()
        self._live = Live(console=self.console, auto_refresh=False, transient=True)
        self._states: dict[str, State] = {}
        self._fractions: dict[str, float] = {}
        self._first: dict[str, float] = {}
        self._read_at = self._line_at = 0.0

    def __enter__(self) -> 'SuiteView':
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def __call__(self, statuses: Sequence[JobStatus]) -> None:
        """Show the statuses."""
        now = time.monotonic()
        if now - self._read_at >= _READ_EVERY:
            self._read_at = now
            self._read(statuses)
        for status in statuses:
            if self._states.get(status.job.name) is not status.state:
                self._announce(status)
        if self.console.is_terminal:
            self._live.update(self._render(statuses, now), refresh=True)
        elif now - self._line_at >= _LINE_EVERY:
            self._line_at = now
            for status in statuses:
                if status.state is State.RUNNING:
                    self._print(f'{status.job.name}: {self._detail(status, now)}')

    def _read(self, statuses: Sequence[JobStatus]) -> None:
        for status in statuses:
            if status.state in (State.RUNNING, State.ELSEWHERE):
                schedule = status.job.task.schedule
                log = read_log(status.job.folder, schedule.unit == 'iter')
                fraction = min(log.position(schedule) / schedule.total, 1.0)
                self._fractions[status.job.name] = fraction
                # A resumed job has a head start that took none of its time.
                self._first.setdefault(status.job.name, fraction)

    def _announce(self, status: JobStatus) -> None:
        new, name = status.state, status.job.name
        known = name in self._states
        self._states[name] = new
        if new is State.FAILED:
            self._print(f'FAILED {name}: {status.reason}', 'red')
        elif new in (State.DONE, State.STOPPED):
            spent = _clock(status.ended - status.started) if status.started else ''
            self._print(f'{new.value:>8}  {name}  {spent}', _STYLES[new])
        elif not self.console.is_terminal and (known or new is not State.PENDING):
            self._print(f'{new.value:>8}  {name}')

    def _print(self, text: str, style: str = '') -> None:
        self.console.print(Text(text, style=style), soft_wrap=True, highlight=False)

    def _render(self, statuses: Sequence[JobStatus], now: float) -> Group:
        table = Table(box=None, pad_edge=False, header_style='dim')
        for title in ('task', 'checkpoint', 'seed', 'state', '', ''):
            table.add_column(title, no_wrap=True)
        room = max(self.console.height - 6, 4)
        shown = _most_interesting(statuses, room)
        for status in shown:
            job = status.job
            table.add_row(
                job.task.name,
                job.checkpoint.name,
                str(job.identity.seed),
                Text(status.state.value, style=_STYLES[status.state]),
                self._bar(status),
                Text(self._detail(status, now), style='dim'),
            )
        return Group(table, Text(self._summary(statuses, now), style='bold'))

    def _bar(self, status: JobStatus) -> ProgressBar | str:
        if status.state not in (State.RUNNING, State.ELSEWHERE):
            return ''
        fraction = self._fractions.get(status.job.name, 0.0)
        return ProgressBar(total=1.0, completed=fraction, width=20)

    def _detail(self, status: JobStatus, now: float) -> str:
        if status.state not in (State.RUNNING, State.ELSEWHERE):
            return ''
        name, schedule = status.job.name, status.job.task.schedule
        fraction = self._fractions.get(name, 0.0)
        text = f'{schedule.unit} {int(fraction * schedule.total)}/{schedule.total}'
        left = self._left(status, now)
        return f'{text}, {_clock(left)} left' if left is not None else text

    def _left(self, status: JobStatus, now: float) -> float | None:
        """Estimate a running job's remaining seconds."""
        name = status.job.name
        fraction, first = self._fractions.get(name, 0.0), self._first.get(name, 0.0)
        if not status.started or fraction <= first:
            return None
        return (now - status.started) / (fraction - first) * (1 - fraction)

    def _summary(self, statuses: Sequence[JobStatus], now: float) -> str:
        done = sum(s.state in (State.DONE, State.CACHED) for s in statuses)
        failed = sum(s.state is State.FAILED for s in statuses)
        text = f'{done} of {len(statuses)} jobs done'
        text += f', {failed} failed' if failed else ''
        left = self._suite_left(statuses, now)
        return text + (f', about {_clock(left)} left' if left is not None else '')

    def _suite_left(self, statuses: Sequence[JobStatus], now: float) -> float | None:
        """Estimate the suite's remaining seconds from its own jobs."""
        running = [s for s in statuses if s.state is State.RUNNING]
        lefts = [left for s in running if (left := self._left(s, now)) is not None]
        if not running or len(lefts) < len(running):
            return None
        spent = [s.ended - s.started for s in statuses if s.state is State.DONE]
        spent += [
            now - s.started + left for s, left in zip(running, lefts, strict=True)
        ]
        pending = sum(s.state is State.PENDING for s in statuses)
        mean = sum(spent) / len(spent)
        return (sum(lefts) + pending * mean) / len(running)


def _most_interesting(statuses: Sequence[JobStatus], room: int) -> list[JobStatus]:
    """Choose what fits on the screen: running and failed before the others."""
    order = [State.RUNNING, State.ELSEWHERE, State.FAILED, State.PENDING]
    rank = {id(s): order.index(s.state) if s.state in order else 9 for s in statuses}
    chosen = sorted(statuses, key=lambda s: rank[id(s)])[:room]
    return [status for status in statuses if status in chosen]


def _clock(seconds: float) -> str:
    minutes, second = divmod(max(round(seconds), 0), 60)
    hours, minute = divmod(minutes, 60)
    return f'{hours}:{minute:02}:{second:02}' if hours else f'{minute}:{second:02}'
