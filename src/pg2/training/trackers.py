"""Weights & Biases and MLflow beside TensorBoard's files: they stay on this machine unless asked to send."""

import importlib.util
import os
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pg2.errors import Pg2Error
from pg2.training.history import settings
from pg2.training.settings import Recipe

if TYPE_CHECKING:
    from accelerate import Accelerator

_PROJECT = "pg2"

# Unless the user has set them: nothing is sent, nor noted of the machine, its user and its folders.
_QUIET = {
    "wandb": {
        "WANDB_MODE": "offline",
        "WANDB_CONSOLE": "off",
        "WANDB_DISABLE_CODE": "true",
        "WANDB_DISABLE_GIT": "true",
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_HOST": "",
        "WANDB_PROGRAM": "pg2",
        "WANDB__DISABLE_MACHINE_INFO": "true",
        "WANDB__DISABLE_META": "true",
        "WANDB__DISABLE_STATS": "true",
        "WANDB__SAVE_REQUIREMENTS": "false",
    },
    "mlflow": {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_LOGGING_LEVEL": "WARNING"},
}
_STORE = "MLFLOW_TRACKING_URI"


def wanted(names: Collection[str]) -> list[str]:
    """Those among `names` that accelerate is to log with, each once.

    "tensorboard" is none of them: its files are always written, as `pg2 runs` reads them.
    From then on the environment keeps them quiet; see docs/privacy.md.

    Raises:
        Pg2Error: one is unknown, or its package is missing.
    """
    from accelerate.tracking import get_available_trackers

    found = [name for name in dict.fromkeys(names) if name != "tensorboard"]
    for name in found:
        if name not in _QUIET:
            raise Pg2Error(f'--log takes tensorboard, wandb or mlflow, not "{name}"')
        there = name in {str(tracker) for tracker in get_available_trackers()}
        if name == "mlflow" and _STORE not in os.environ:
            # Its small package leaves out what its SQLite store needs.
            there = there and all(importlib.util.find_spec(part) for part in ("sqlalchemy", "alembic"))
        if not there:
            raise Pg2Error(f'--log {name} needs the extra "{name}": pip install "pg2[train,{name}]"')
    for name in found:
        for variable, value in _QUIET[name].items():
            os.environ.setdefault(variable, value)
    return found


class Trackers:
    """The trackers of a run, in its main process; without any it does nothing.

    They are given numbers and settings, never pictures.
    """

    def __init__(self, accelerator: "Accelerator", run: Path, recipe: Recipe) -> None:
        self._accelerator, self._run, self._recipe = accelerator, run.resolve(), recipe
        self._started = self._local_store = False

    def start(self) -> None:
        """Begin a run of each tracker, once; a training that is taken up again has several.

        Raises:
            Pg2Error: one cannot begin, such as W&B online without having logged in.
        """
        accelerator = self._accelerator
        names = [str(tracker) for tracker in accelerator.log_with]
        if not names or self._started or not accelerator.is_main_process:
            return
        self._started = True
        try:
            if "mlflow" in names and _STORE not in os.environ:
                import mlflow

                mlflow.set_tracking_uri(f"sqlite:///{self._run / 'mlflow.db'}")
                self._local_store = True
            project = os.environ.get("WANDB_PROJECT", _PROJECT)
            accelerator.init_trackers(project, settings(self._recipe), self._begun_with())
        except Exception as error:  # whatever a package of others raises
            self._drop()
            reason = " ".join(str(error).split())
            raise Pg2Error(f"--log {' and '.join(names)} could not begin: {reason}") from error

    def _begun_with(self) -> dict[str, dict[str, Any]]:
        name = self._run.name
        return {
            "wandb": {"dir": str(self._run), "group": name, "name": name},
            "mlflow": {
                "run_name": name,
                "logging_dir": (self._run / "mlartifacts").as_uri() if self._local_store else None,
                # MLflow would note who runs it, and the path of the program.
                "tags": {"mlflow.user": "", "mlflow.source.name": "pg2 train"},
            },
        }

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Hand on numbers by name; `step` never falls, over all stages of a run.

        A tracker that fails is left out from then on, with a warning: a training need not end for that.
        """
        for tracker in list(self._accelerator.trackers):
            try:
                tracker.log(dict(values), step=step)
            except Exception as error:
                warnings.warn(
                    f"--log {tracker.name} failed at step {step:,} and is left out from now on: "
                    f"{' '.join(str(error).split())}",
                    stacklevel=2,
                )
                self._accelerator.trackers.remove(tracker)

    def finish(self) -> None:
        """Write what is not written yet, however the training ended."""
        for tracker in self._accelerator.trackers:
            try:
                tracker.finish()
            except Exception as error:
                reason = " ".join(str(error).split())
                warnings.warn(f"--log {tracker.name} could not be ended: {reason}", stacklevel=2)
        self._drop()

    def _drop(self) -> None:
        self._accelerator.trackers.clear()
        if self._local_store:
            import mlflow

            # MLflow has put it into the environment, where it would be that of the next run, too.
            mlflow.set_tracking_uri(None)
            self._local_store = False


@contextmanager
def tracked(accelerator: "Accelerator", run: Path, recipe: Recipe) -> Iterator[Trackers]:
    """The trackers of a run, not yet started; on leaving they are finished."""
    trackers = Trackers(accelerator, run, recipe)
    try:
        yield trackers
    finally:
        trackers.finish()
