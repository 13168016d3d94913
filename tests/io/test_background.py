"""Jobs in threads: all done in the end, never too many at once, and no error is lost."""

import threading
import time

import pytest

from pg2.io.background import in_background


def test_all_jobs_are_done_on_leaving_and_the_caller_does_not_wait() -> None:
    go, done = threading.Event(), []

    def job(number: int, *, add: int) -> None:
        go.wait(10)
        done.append(number + add)

    with in_background(threads=2) as later:
        for number in range(20):
            later(job, number, add=100)
        assert not done
        go.set()
    assert sorted(done) == list(range(100, 120))


def test_a_caller_who_is_too_fast_waits() -> None:
    """Jobs hold pictures: without a bound, a slow disk would fill the memory."""
    done: list[int] = []
    most = 0
    with in_background(threads=2, waiting=5) as later:
        for number in range(30):
            later(lambda number: (time.sleep(0.002), done.append(number))[1], number)
            most = max(most, number + 1 - len(done))
    assert len(done) == 30
    assert most <= 5


@pytest.mark.parametrize("at", [0, 3, 9])
def test_an_error_of_a_job_is_raised(at: int) -> None:
    """By a later call or, at the latest, on leaving."""

    def job(number: int) -> None:
        if number == at:
            raise OSError(28, "No space left on device")

    handed = []

    def hand_over() -> None:
        with in_background(threads=1, waiting=2) as later:
            for number in range(10):
                later(job, number)
                handed.append(number)

    with pytest.raises(OSError, match="No space left"):
        hand_over()
    assert len(handed) <= at + 3


def test_the_callers_error_wins_and_running_jobs_are_waited_for() -> None:
    """What they write into may be removed as soon as this is left."""
    began, done = threading.Event(), []

    def slow(number: int) -> None:
        began.set()
        time.sleep(0.02)
        done.append(number)

    def interrupted() -> None:
        with in_background(threads=1) as later:
            for number in range(100):
                later(slow, number)
            began.wait(10)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    count = len(done)
    assert 1 <= count < 100, "what was running is done, what had not begun is dropped"
    time.sleep(0.05)
    assert len(done) == count
