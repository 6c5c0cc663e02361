"""Processes that run one function each: results, exchange of public values, failures, time limits."""

import multiprocessing
import os
import signal
import time

import pytest

from mpc.processes import Meeting, ProcessFailed, Task, run_processes


def square(meeting: Meeting, value: int) -> int:
    return value * value


def sum_of_all(meeting: Meeting, value: int) -> int:
    return sum(meeting.exchange(value)) * sum(meeting.exchange(1))


def raise_error(meeting: Meeting) -> None:
    raise ValueError("column 3 is missing")


def lose_a_peer(meeting: Meeting) -> None:
    raise ConnectionError("lost the other one")


def kill_self(meeting: Meeting) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def sleep(meeting: Meeting, seconds: float) -> None:
    time.sleep(seconds)


def test_results_come_in_task_order() -> None:
    assert run_processes([Task(f"p{n}", square, (n,)) for n in range(3)]) == [0, 1, 4]


def test_exchange_gives_everybody_everything() -> None:
    assert run_processes([Task(f"p{n}", sum_of_all, (n,)) for n in (1, 2)]) == [6, 6]


def test_functions_without_a_module_travel_too() -> None:
    factor = 3
    assert run_processes([Task("lambda", lambda meeting, value: factor * value, (5,))]) == [15]


def test_exception_is_carried_with_its_traceback() -> None:
    with pytest.raises(ProcessFailed, match="bad: ValueError: column 3 is missing") as caught:
        run_processes([Task("good", square, (2,)), Task("bad", raise_error)])
    assert caught.value.exit_code == 1
    assert "raise_error" in caught.value.detail


def test_killed_process_is_named_with_its_exit_code() -> None:
    with pytest.raises(ProcessFailed, match="victim: died with exit code -9") as caught:
        run_processes([Task("victim", kill_self), Task("waiting", sleep, (60,))])
    assert caught.value.exit_code == -signal.SIGKILL


def test_process_that_could_not_start_says_what_the_program_lacks() -> None:
    with pytest.raises(ProcessFailed, match="below `if __name__ == '__main__':`"):
        run_processes([Task("unguarded", lambda meeting: os._exit(1))])


def test_cause_comes_before_consequence() -> None:
    with pytest.raises(ProcessFailed, match="bad: ValueError"):
        run_processes([Task("survivor", lose_a_peer), Task("bad", raise_error)])


def test_time_limit_names_who_is_late() -> None:
    """On a machine that is busy enough the quick one may be late as well."""
    with pytest.raises(TimeoutError, match=r"within 2 s from: (quick, )?sleeper"):
        run_processes([Task("quick", square, (1,)), Task("sleeper", sleep, (600,))], timeout_s=2)
    assert not multiprocessing.active_children()
