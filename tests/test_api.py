"""The top level: what a Python user looks for first, at the price of what they use."""

import importlib.metadata
import subprocess
import sys

import pytest

import pg2
from pg2.evaluation.protocol import evaluate
from pg2.models.config import ModelConfig
from pg2.training.loop import train
from pg2.training.recipe import load_recipe


@pytest.mark.parametrize("name", pg2.__all__)
def test_each_name_is_there(name: str) -> None:
    namespace: dict[str, object] = {}
    exec(f"from pg2 import {name}", namespace)
    assert getattr(namespace[name], "__name__", name) == name
    assert name in dir(pg2)


def test_names_are_those_of_their_modules() -> None:
    assert pg2.__version__ == importlib.metadata.version("pg2")
    assert pg2.ModelConfig is ModelConfig
    assert (pg2.train, pg2.evaluate, pg2.load_recipe) == (train, evaluate, load_recipe)
    with pytest.raises(AttributeError, match="module pg2 has no attribute Discriminator"):
        _ = pg2.Discriminator


def test_importing_it_is_light() -> None:
    """In a process of its own: neither PyTorch nor NumPy, until the first name that needs them."""
    code = """
import sys, pg2
pg2.__version__, dir(pg2)
from pg2 import Pg2Error
assert not {"torch", "numpy", "PIL", "pydantic"} & set(sys.modules)
from pg2 import Pose
assert "numpy" in sys.modules
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
