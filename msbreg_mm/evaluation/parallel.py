"""Independent fits on all cores, with a progress bar."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from joblib import Parallel, cpu_count, delayed
from rich.progress import track

from msbreg_mm.utils.errors import OptionError

Result = TypeVar('Result')


def run_tasks(
    function: Callable[..., Result],
    tasks: Sequence[tuple[Any, ...]],
    description: str,
    jobs: int | None = None,
    *,
    pays: bool = True,
) -> list[Result]:
    """Call a function for each task, in processes.

    Processes and not threads: liblinear draws from one random generator of the
    process, so threads would make results differ from run to run. Large arrays
    are shared by memory map. A bar shows on a terminal while tasks run.

    Args:
        function: Function of a module.
        tasks: The arguments of each call.
        description: What is shown beside the bar.
        jobs: Number of processes, at least 1; by default all usable cores if it
            pays, else this process alone.
        pays: Whether the work outweighs the start of processes (seconds).

    Returns:
        The results in the order of ``tasks``.

    Raises:
        OptionError: If ``jobs`` is below 1.
    """
    if jobs is not None and jobs < 1:
        raise OptionError(f'jobs must be at least 1, got {jobs}')
    if jobs is None:
        jobs = max(1, min(cpu_count(), len(tasks))) if pays else 1
    results = Parallel(n_jobs=jobs, return_as='generator')(
        delayed(function)(*task) for task in tasks
    )
    return list(track(results, description, total=len(tasks), transient=True))
