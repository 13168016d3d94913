"""pg2: pose guided person image generation (Ma et al., NIPS 2017), complete, tested and on any machine.

>>> from pg2 import Pipeline
>>> Pipeline.from_pretrained("fast/market1501")("photo.jpg", "walking").image.save("walking.png")
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pg2.data.prepared import PreparedDataset
    from pg2.errors import Pg2Error
    from pg2.models.pg2 import PG2
    from pg2.pipeline import Pipeline, Result
    from pg2.pose.estimator import PoseEstimator
    from pg2.pose.keypoints import Pose

_HOME = {
    "PG2": "models.pg2",
    "Pg2Error": "errors",
    "Pipeline": "pipeline",
    "Pose": "pose.keypoints",
    "PoseEstimator": "pose.estimator",
    "PreparedDataset": "data.prepared",
    "Result": "pipeline",
}

__all__ = ["PG2", "Pg2Error", "Pipeline", "Pose", "PoseEstimator", "PreparedDataset", "Result"]


def __getattr__(name: str) -> Any:
    # Imported when first asked for: `pg2 --help` need not wait for PyTorch.
    if name in _HOME:
        return getattr(importlib.import_module(f"pg2.{_HOME[name]}"), name)
    raise AttributeError(f"module pg2 has no attribute {name}")
