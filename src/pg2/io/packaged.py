"""Where the files lie that ship inside the package: the one place that knows."""

from pathlib import Path

_ROOT = Path(__file__).parents[1]

SAMPLES = _ROOT / "samples"
"""The rendered people who ship with the package: PERSON/NUMBER.jpg, and keypoints.csv."""

WEIGHTS = _ROOT / "weights"
"""Trained models, a folder each, and the pose estimator."""

DEFAULT_MODEL = "fast/photo256"
"""The shipped model that is meant where none is named: by the commands, by the service and on its page."""

RECIPES = _ROOT / "recipes"
"""One YAML file a trained model."""

NAMED_POSES = _ROOT / "pose" / "named"
"""The poses that have a name, an OpenPose JSON file each."""

SHADERS = _ROOT / "rendering" / "shaders"
"""What the renderer runs on the graphics device."""

SERVICE_PAGE = _ROOT / "serving" / "web"
"""The page of `pg2 serve`."""

STUDY_PAGE = _ROOT / "userstudy" / "web"
"""The page of `pg2 userstudy serve`."""
