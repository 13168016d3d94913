"""pg2: pose guided person image generation (Ma et al., NIPS 2017), complete, tested and on any machine.

>>> from pg2 import Pipeline
>>> Pipeline.from_pretrained("fast/market1501")("photo.jpg", "walking").image.save("walking.png")
"""

import importlib
import importlib.metadata
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pg2.data.prepared import PreparedDataset
    from pg2.errors import Pg2Error
    from pg2.evaluation.protocol import evaluate
    from pg2.models.config import ModelConfig
    from pg2.models.pg2 import PG2
    from pg2.pipeline import Pipeline, Result
    from pg2.pose.estimator import PoseEstimator
    from pg2.pose.keypoints import Pose
    from pg2.training.loop import train
    from pg2.training.recipe import load_recipe

    __version__: str

# Photos stay home, and so does word of their use: set before the libraries are imported, and handed on to
# worker processes. onnxruntime would write an identity of the device into the home and report to its makers.
for _name, _value in (
    ("ORT_DISABLE_TELEMETRY", "1"),
    ("HF_HUB_DISABLE_TELEMETRY", "1"),
    ("RAY_USAGE_STATS_ENABLED", "0"),
):
    os.environ.setdefault(_name, _value)

_HOME = {
    "PG2": "models.pg2",
    "ModelConfig": "models.config",
    "Pg2Error": "errors",
    "Pipeline": "pipeline",
    "Pose": "pose.keypoints",
    "PoseEstimator": "pose.estimator",
    "PreparedDataset": "data.prepared",
    "Result": "pipeline",
    "evaluate": "evaluation.protocol",
    "load_recipe": "training.recipe",
    "train": "training.loop",
}

__all__ = [
    "PG2",
    "ModelConfig",
    "Pg2Error",
    "Pipeline",
    "Pose",
    "PoseEstimator",
    "PreparedDataset",
    "Result",
    "__version__",
    "evaluate",
    "load_recipe",
    "train",
]


def __getattr__(name: str) -> Any:
    # Imported when first asked for: `pg2 --help` need not wait for PyTorch.
    if name in _HOME:
        return getattr(importlib.import_module(f"pg2.{_HOME[name]}"), name)
    if name == "__version__":
        return importlib.metadata.version("pg2")
    raise AttributeError(f"module pg2 has no attribute {name}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
