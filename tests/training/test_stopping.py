"""Signals wait for the step, then take their ordinary course."""

import signal
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from pg2.training.stopping import StoppedError, stoppable


class TerminatedError(Exception):
    """What the handler of this test's program raises."""


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    def terminate(*_: object) -> None:
        raise TerminatedError

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, terminate)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def accelerator(processes: int = 1, reduce: Callable[..., Any] | None = None) -> Any:
    return SimpleNamespace(
        num_processes=processes, is_main_process=True, device=torch.device("cpu"), reduce=reduce
    )


@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, TerminatedError)]
)
def test_a_signal_waits_and_then_takes_its_course(
    number: int, raised: type[BaseException], capfd: pytest.CaptureFixture[str]
) -> None:
    reached = []

    def work() -> None:
        with stoppable(accelerator()) as stop:
            stop.check()
            assert not stop.asked
            signal.raise_signal(number)
            assert stop.asked
            with pytest.raises(StoppedError):
                stop.check()
            signal.raise_signal(signal.SIGTERM)  # some supervisors send it twice
            reached.append("saved")

    with pytest.raises(raised):
        work()
    assert reached == ["saved"]
    assert capfd.readouterr().err.count("stopping once this step is saved") == 1
    with pytest.raises(TerminatedError):
        signal.raise_signal(signal.SIGTERM)


def test_a_second_ctrl_c_stops_at_once() -> None:
    with stoppable(accelerator()) as stop:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        stop.signal = None


def test_an_error_is_not_hidden_by_a_signal() -> None:
    def work() -> None:
        with stoppable(accelerator()):
            signal.raise_signal(signal.SIGTERM)
            raise RuntimeError("full")

    with pytest.raises(RuntimeError, match="full"):
        work()


def test_what_is_ignored_stays_ignored() -> None:
    """A command in the background of a script is not to heed Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with stoppable(accelerator()) as stop:
        signal.raise_signal(signal.SIGINT)
        assert not stop.asked


def test_a_program_that_only_takes_note_is_stopped_too() -> None:
    noted = []
    signal.signal(signal.SIGTERM, lambda *_: noted.append(1))
    with pytest.raises(KeyboardInterrupt), stoppable(accelerator()):
        signal.raise_signal(signal.SIGTERM)
    assert noted == [1]


def test_nothing_comes_outside_of_the_main_thread() -> None:
    asked = []

    def work() -> None:
        with stoppable(accelerator()) as stop:
            asked.append(stop.asked)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert asked == [False]


def test_several_processes_stop_after_the_same_step() -> None:
    """One of them gets the signal, and the others learn of it; none stops before the others."""
    others = 0.0

    def told() -> None:
        nonlocal others
        with stoppable(accelerator(2, lambda mine, _: mine + others)) as stop:
            stop.agree(10)
            assert not stop.asked
            others = 1.0
            assert not stop.asked
            stop.agree(11)
            assert stop.asked

    def sent() -> None:
        with stoppable(accelerator(2, lambda mine, _: mine)) as stop:
            signal.raise_signal(signal.SIGTERM)
            assert not stop.asked
            with pytest.raises(StoppedError):
                stop.check()
            stop.agree()
            assert stop.asked

    def seldom() -> None:
        """A GPU would be waited for."""
        there = accelerator(2, lambda mine, _: mine + 1.0)
        there.device = SimpleNamespace(type="cuda")
        with stoppable(there) as stop:
            stop.agree(11)
            assert not stop.asked

    seldom()
    with pytest.raises(KeyboardInterrupt):
        told()
    with pytest.raises(TerminatedError):
        sent()
