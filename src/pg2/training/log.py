"""The TensorBoard log of a stage: one that reads as if the training had never stopped."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


def tensorboard_log(folder: Path, step: int) -> "SummaryWriter":
    """Go on with a log after `step`.

    What was logged of later steps, by a training that was killed after its last checkpoint, is hidden; a file
    with nothing else in it is removed. So there is a file for each sitting that got anywhere, no more.
    """
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from torch.utils.tensorboard import SummaryWriter

    for file in folder.glob("events.*"):
        events = EventFileLoader(str(file)).Load()
        if not any(event.HasField("summary") and event.step <= step for event in events):
            file.unlink()
    return SummaryWriter(str(folder), purge_step=step + 1 if any(folder.glob("events.*")) else None)
