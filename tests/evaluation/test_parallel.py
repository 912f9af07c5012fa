import os

import pytest

from msbreg_mm.evaluation.parallel import run_tasks


@pytest.mark.parametrize('jobs', [1, 2])
def test_results_stand_in_the_order_of_the_tasks(jobs: int) -> None:
    tasks = [(number, 7) for number in range(100)]
    assert run_tasks(divmod, tasks, 'test', jobs) == [divmod(*task) for task in tasks]


def test_small_work_stays_in_this_process() -> None:
    assert run_tasks(os.getpid, [()] * 3, 'test', pays=False) == [os.getpid()] * 3
    assert run_tasks(os.getpid, [], 'test') == []


def test_errors_of_a_task_reach_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        run_tasks(divmod, [(1, 1), (1, 0)], 'test', 2)
    with pytest.raises(ValueError, match='jobs must be at least 1, got 0'):
        run_tasks(divmod, [(1, 1)], 'test', 0)
