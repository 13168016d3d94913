"""What tests of several packages share: a tiny data set that trains in seconds."""

import gc
import io
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image

from pg2 import PG2
from pg2.data.prepared import PreparedDataset, Record
from pg2.data.writing import Skipped, write_prepared

FRAME = (32, 16)

# The same examples each time, however busy the machine is.
hypothesis.settings.register_profile(
    "pg2",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("pg2")

# pytest listens to every log that keeps to itself. To this one PyTorch then describes in length all that it
# traces for an export.
logging.getLogger("torch.__trace").propagate = True


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not torch.accelerator.is_available():
        pytest.skip("there is no accelerator here")


@pytest.fixture(autouse=True, scope="session")
def _two_threads() -> None:
    """In all, that is: threads of several processes would wait for one another."""
    torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)


@pytest.fixture(autouse=True, scope="module")
def _little_to_look_through() -> Iterator[None]:
    """Each stage of a training ends with `gc.collect()`, which would look through all modules' objects."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


# The longest files first, the longest one at the front: at the end no process waits long for the other.
_LONG = (
    "training/test_loop.py", "serving/test_app.py", "io/test_cluster.py", "serving/test_page.py",
    "table1/test_run.py", "training/test_transport_training.py", "benchmarks/test_faults.py",
    "export/test_graph.py", "benchmarks/test_scaling.py", "rendering/test_people.py", "cli/test_evaluate.py",
    "test_backends.py", "evaluation/test_report.py", "serving/test_fuzz.py", "io/test_remote.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {Path(__file__).parent / name: place for place, name in enumerate(_LONG)}
    assert all(file.is_file() for file in places), "a file of _LONG is gone"
    items.sort(key=lambda item: places.get(item.path, len(_LONG)))


def made_up(out: Path, frame: tuple[int, int]) -> PreparedDataset:
    """6 people x 3 pictures for training, 2 x 3 for testing: smooth noise, random poses."""
    generator = np.random.default_rng(7)
    pictures = []
    for person in range(8):
        colour = generator.integers(0, 256, 3)
        for number in range(3):
            pixels = np.clip(colour + generator.normal(0, 12, (*frame, 3)), 0, 255).astype(np.uint8)
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "JPEG")
            corner = (frame[1] - 1, frame[0] - 1)
            points = generator.uniform((0, 0), corner, (18, 2)).round().astype(np.float32)
            points[14 + number] = np.nan
            split = "train" if person < 6 else "test"
            pictures.append((Record(f"{person}_{number}.jpg", str(person), split, points), buffer.getvalue()))
    write_prepared(
        out, pictures, source="folder", frame=frame, keypoints="made up", inputs="made up", skipped=Skipped()
    )
    return PreparedDataset(out)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """A data set of 32x16 that trains in seconds."""
    return made_up(tmp_path_factory.mktemp("tiny") / "data", FRAME)


@pytest.fixture(scope="session")
def doubled(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """The same of 64x32."""
    return made_up(tmp_path_factory.mktemp("doubled") / "data", (2 * FRAME[0], 2 * FRAME[1]))


@pytest.fixture(scope="session")
def square(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """The same of 64x64."""
    return made_up(tmp_path_factory.mktemp("square") / "data", (64, 64))


@pytest.fixture(scope="session")
def exportable() -> PG2:
    """A small model that fetches."""
    from export_samples import transport

    return transport()


@pytest.fixture(scope="session")
def exported(exportable: PG2, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of it that `pg2 export` writes; made once for all tests, as it takes many seconds."""
    from pg2.export.onnx_file import export_onnx

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # whose processes have a folder each in one
        folder = folder.parent
    path = folder / "exported" / "model.onnx"
    path.parent.mkdir(exist_ok=True)
    with FileLock(folder / "exported.lock"):
        if not path.exists():
            export_onnx(exportable, path)
    return path
