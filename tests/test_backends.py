"""The same pipeline on onnxruntime and OpenVINO."""

from pathlib import Path

import numpy as np
import pytest
import torch
from export_samples import coarse

from pg2 import PG2, Pg2Error, Pipeline, Pose
from pg2.export.check import random_inputs
from pg2.export.onnx_file import LARGEST
from pg2.io.packaged import SAMPLES
from pg2.models.inputs import Inputs
from pg2.pipeline import Result
from pg2.pose.formats import read_keypoints_csv

PHOTOS = ("00003/00.jpg", "00015/00.jpg")
POSES = ("walking", "left", "back")


def drawn(pipe: Pipeline) -> list[Result]:
    """Two people in three poses."""
    keypoints = read_keypoints_csv(SAMPLES / "keypoints.csv")
    known = [Pose(keypoints[photo], (256, 256)) for photo in PHOTOS]
    rows = pipe.grid([SAMPLES / photo for photo in PHOTOS], POSES, source_poses=known)
    return [result for row in rows for result in row]


@pytest.fixture(scope="module")
def by_torch(exportable: PG2) -> Pipeline:
    return Pipeline(exportable)


def assert_alike(made: list[Result], expected: list[Result]) -> None:
    for one, other in zip(made, expected, strict=True):
        assert list(one.named) == list(other.named)
        assert one.headings == other.headings
        for name, picture in one.named.items():
            apart = np.abs(np.asarray(picture).astype(int) - np.asarray(other.named[name]))
            assert apart.max() <= LARGEST, name
            assert (apart > 0).mean() <= 0.01, name
        assert one.copied == pytest.approx(other.copied, abs=0.01)
        full = np.abs(np.asarray(one.full_size).astype(int) - np.asarray(other.full_size))
        assert full.mean() <= 0.1


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_pictures_are_pytorchs(by_torch: Pipeline, exported: Path, backend: str) -> None:
    if backend == "openvino":
        pytest.importorskip("openvino")
    pipe = Pipeline.from_pretrained(exported, backend=backend)  # type: ignore[arg-type]
    assert pipe.backend == backend
    assert_alike(drawn(pipe), drawn(by_torch))
    for name in ("frame", "stages", "pictures", "background", "parameters", "digest", "precision", "device"):
        assert getattr(pipe, name) == getattr(by_torch, name), name


def test_a_model_is_exported_in_memory(tmp_path: Path) -> None:
    """Here stage I alone, which does not look at the pose on the source."""
    pytest.importorskip("openvino")
    coarse().save(tmp_path / "model")
    before = sorted(tmp_path.rglob("*"))
    pipe = Pipeline.from_pretrained(tmp_path / "model", backend="openvino")
    assert (pipe.backend, pipe.background, pipe.stages) == ("openvino", None, ("coarse",))
    assert_alike(drawn(pipe), drawn(Pipeline.from_pretrained(tmp_path / "model")))
    assert sorted(tmp_path.rglob("*")) == before


def test_tensors_come_back_as_they_come_from_pytorch(by_torch: Pipeline, exported: Path) -> None:
    """What is scored and learned from: to half a grey level, or a whole one of a difference."""
    pipe = Pipeline.from_pretrained(exported)
    source, *poses = map(torch.from_numpy, random_inputs(pipe.frame, 3, seed=5))
    inputs = Inputs(source.movedim(-1, 1), *poses)
    made, expected = pipe.run(inputs), by_torch.run(inputs)
    assert list(made.pictures) == list(expected.pictures)
    assert made.maps.keys() == expected.maps.keys() == {"changed", "fetched"}
    pairs = [(made.image, expected.image), (made.maps["changed"], expected.maps["changed"])]
    pairs += [(made.pictures[name], picture) for name, picture in expected.pictures.items()]
    for one, other in pairs:
        assert (one.shape, one.dtype) == (other.shape, torch.float32)
        assert (one - other.clamp(-1, 1)).abs().max() <= (LARGEST + 0.5) / 127.5
    assert list(pipe.results(made)) == list(by_torch.results(expected)) == ["coarse", "refined"]


def test_what_an_exported_model_cannot_do(exported: Path, tmp_path: Path) -> None:
    pipe = Pipeline.from_pretrained(exported)
    with pytest.raises(Pg2Error, match="an exported model cannot be changed, saved or trained"):
        pipe.save_pretrained(tmp_path / "model")
    with pytest.raises(Pg2Error, match='there is no backend "tensorrt"; give torch, onnx or openvino'):
        Pipeline.from_pretrained(exported, backend="tensorrt")  # type: ignore[arg-type]
    with pytest.raises(Pg2Error, match=r"computes in float32 or bfloat16, not torch\.float16"):
        Pipeline.from_pretrained(exported, dtype=torch.float16)
    pipe.set_background("keep")
    with pytest.warns(UserWarning, match="onnx has no bf16 here; the model computes in fp32"):
        assert Pipeline.from_pretrained(exported, dtype="bf16").precision == "float32"
