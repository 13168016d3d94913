"""The log of a stage; TensorBoard's reads as if the training had never stopped, trackers get its numbers."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from pg2.training.trackers import Trackers

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class StageLog:
    """Where a stage's numbers and sample pictures go."""

    def __init__(self, stage: str, writer: "SummaryWriter | None", trackers: Trackers, before: int) -> None:
        """`stage`: its name; `writer`: None where another process writes; `before`: earlier stages' steps."""
        self._stage, self._writer, self._trackers, self._before = stage, writer, trackers, before

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        """Log numbers of a step of the stage by their names in it."""
        named = {f"{self._stage}/{name}": value for name, value in values.items()}
        if self._writer is not None:
            for name, value in named.items():
                self._writer.add_scalar(name, value, step)
        self._trackers.log(named, self._before + step)

    def picture(self, name: str, picture: Tensor, step: int) -> None:
        """Log a picture, uint8 [3, H, W], in TensorBoard's files alone: trackers may be far away."""
        if self._writer is not None:
            self._writer.add_image(f"{self._stage}/{name}", picture, step)

    def flush(self) -> None:
        """Write TensorBoard's files so far."""
        if self._writer is not None:
            self._writer.flush()


@contextmanager
def tensorboard_log(folder: Path, step: int) -> Iterator["SummaryWriter"]:
    """Go on with a log after `step`.

    What was logged of later steps, by a training that was killed after its last checkpoint, is hidden; a file
    with nothing else in it is removed. So there is a file for each sitting that got anywhere, no more.

    Raises:
        OSError: the disk is full, say; from then on each call of the writer raises it, too.
    """
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from torch.utils.tensorboard import SummaryWriter

    for file in folder.glob("events.*"):
        events = EventFileLoader(str(file)).Load()
        if not any(event.HasField("summary") and event.step <= step for event in events):
            file.unlink()
    with (
        _raised_by_the_writer(),
        SummaryWriter(str(folder), purge_step=step + 1 if any(folder.glob("events.*")) else None) as writer,
    ):
        yield writer


@contextmanager
def _raised_by_the_writer() -> Iterator[None]:
    """What fails in the thread that writes prints no traceback: the writer's next call raises it."""
    hook = threading.excepthook

    def quiet(failed: threading.ExceptHookArgs) -> None:
        if failed.exc_value is None or getattr(failed.thread, "exception", None) is not failed.exc_value:
            hook(failed)

    threading.excepthook = quiet
    try:
        yield
    finally:
        threading.excepthook = hook
