import os
import signal
import threading

import pytest

from pg2.errors import Pg2Error
from pg2.rendering.workers import render_in_workers


class Deadly:
    """Kills the process that receives it, as the kernel does when memory is short."""

    def __reduce__(self):
        return os.kill, (_own_process(), signal.SIGKILL)


class _own_process:  # noqa: N801 - reads as a call where it is used
    def __reduce__(self):
        return os.getpid, ()


def test_a_worker_that_dies_is_one_sentence(tmp_path):
    with pytest.raises(Pg2Error, match="a worker process died, perhaps for lack of memory") as caught:
        list(render_in_workers([0, 1], tmp_path, Deadly(), workers=1))
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_environment_and_ctrl_c_are_as_before(tmp_path):
    before, handler = dict(os.environ), signal.getsignal(signal.SIGINT)
    errors = []

    def work() -> None:  # also outside of the main thread, where signals cannot be set
        with pytest.raises(Pg2Error) as caught:
            list(render_in_workers([0], tmp_path, Deadly(), workers=1))
        errors.append(caught.value)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(errors) == 1
    assert dict(os.environ) == before
    assert signal.getsignal(signal.SIGINT) is handler
