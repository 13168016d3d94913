"""Ctrl-C and SIGTERM in training: put off until the step that is being made is saved."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from accelerate import Accelerator

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_AGREE_EVERY = 10  # steps on an accelerator, which is waited for when the others are asked
_HEARD = b"pg2: stopping once this step is saved; Ctrl-C again stops at once and loses it\n"


class StoppedError(Exception):
    """Training shall stop, and left what it was doing."""


class Stop:
    """Whether training shall stop.

    Attributes:
        asked: it shall, after this step. The same in all processes of a training.
        signal: the first signal that this process was sent; None: none yet.
    """

    def __init__(self, accelerator: "Accelerator") -> None:
        self._accelerator = accelerator
        self._alone = accelerator.num_processes == 1
        self._agreed = False
        self.signal: int | None = None

    @property
    def asked(self) -> bool:
        return self.signal is not None if self._alone else self._agreed

    def agree(self, step: int | None = None) -> None:
        """Let all processes know, after `step`, what one of them was sent; None: now, after whatever it was.

        All have to ask at the same time. Whoever started them waits for half a minute, then kills them.
        """
        due = step is None or self._accelerator.device.type == "cpu" or step % _AGREE_EVERY == 0
        if due and not self._alone:
            mine = torch.tensor(float(self.signal is not None), device=self._accelerator.device)
            self._agreed = bool(self._accelerator.reduce(mine, "sum") > 0)

    def check(self) -> None:
        """Leave work that can be made anew and that this process does alone; then all have to `agree`.

        Raises:
            StoppedError: training shall stop, or will as soon as the others know.
        """
        if self.asked or self.signal is not None:
            raise StoppedError

    def heed(self, number: int, _: FrameType | None) -> None:
        """Handle a signal."""
        # Of several processes each gets it from the terminal and again from what started them.
        if number == self.signal == signal.SIGINT and self._alone:
            raise KeyboardInterrupt
        if self.signal is None and self._accelerator.is_main_process:
            # Past Python's own buffers, in the middle of which this may be.
            with contextlib.suppress(OSError):
                os.write(2, _HEARD)
        self.signal = self.signal or number


@contextlib.contextmanager
def stoppable(accelerator: "Accelerator") -> Iterator[Stop]:
    """Yield what tells whether SIGINT or SIGTERM came; on leaving, it takes its ordinary course.

    A signal that is ignored stays ignored. Outside of the main thread, which alone gets signals, nothing
    comes.

    Raises:
        KeyboardInterrupt: on leaving, where the signal was not heeded by its ordinary handler.
    """
    stop = Stop(accelerator)
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, stop.heed)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if stop.signal is not None:
        signal.raise_signal(stop.signal)
    if stop.signal is not None or stop.asked:
        raise KeyboardInterrupt
