"""A model as an ONNX file: it draws what the model draws, says what it is, or is not written."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from export_samples import coarse, difference, transport

from pg2 import PG2, Pg2Error
from pg2.export import onnx_file
from pg2.export.check import random_inputs
from pg2.export.graph import Graph
from pg2.export.onnx_file import LARGEST, export_onnx, to_onnx
from pg2.export.picture_model import PictureModel
from pg2.models.pg2 import shipped_models


def assert_alike(model: PG2, graph: Graph, pairs: int, seed: int) -> None:
    """The same pictures, but for few values of few levels."""
    inputs = random_inputs(model.config.frame, pairs, seed)
    with torch.inference_mode():
        expected = PictureModel(model)(*map(torch.from_numpy, inputs))
    made = graph(*inputs)
    assert list(made) == list(expected)
    for name, picture in made.items():
        if name == "fetched":
            np.testing.assert_allclose(picture, expected[name], atol=0.05)
            continue
        apart = np.abs(picture.astype(int) - expected[name].numpy())
        assert picture.dtype == np.uint8
        assert apart.max() <= LARGEST, name
        assert (apart > 0).mean() <= 0.01, name
        assert picture.std() > 0, name


def test_the_file_draws_what_the_model_draws(exportable: PG2, exported: Path) -> None:
    """Of batches of any size, with and without missing keypoints, none of which the export has seen."""
    graph = Graph.open(exported)
    for pairs, seed in ((1, 1), (3, 2), (8, 3)):
        assert_alike(exportable, graph, pairs, seed)


@pytest.mark.parametrize(
    "make",
    [coarse, difference, lambda: difference("coordinates"), lambda: difference("heatmaps")],
    ids=["coarse", "difference", "coordinates", "heatmaps"],
)
def test_models_of_other_kinds(make: Callable[[], PG2]) -> None:
    model = make()
    content, description = to_onnx(model)
    assert_alike(model, Graph(content, "it"), 3, 1)
    assert description.stages == tuple(model.stages)
    assert description.background is None


def test_an_expected_background() -> None:
    model = transport("expected")
    content, description = to_onnx(model)
    assert_alike(model, Graph(content, "it"), 2, 1)
    assert description.background == "expected"


@pytest.mark.parametrize("name", shipped_models())
def test_what_ships(name: str) -> None:
    model = PG2.from_pretrained(name)
    content, description = to_onnx(model)
    assert description.difference <= LARGEST
    assert_alike(model, Graph(content, name), 2, 1)


def test_it_says_what_it_is(exportable: PG2, exported: Path) -> None:
    description = Graph.open(exported).description
    assert description.frame == (64, 32)
    assert description.pictures == exportable.pictures
    assert (description.stages, description.background) == (("coarse", "refined"), "keep")
    assert description.weights == exportable.digest
    assert description.parameters == sum(value.numel() for value in exportable.parameters())
    loaded = onnx.load(exported)
    onnx.checker.check_model(loaded)
    (opset,) = (used.version for used in loaded.opset_import if used.domain in ("", "ai.onnx"))
    assert opset >= 16
    assert [value.name for value in loaded.graph.input] == ["source", "source_keypoints", "target_keypoints"]
    starts = ("uint8 [batch, height, width", "float32 [batch, ", "the same of the pose")
    for value in (*loaded.graph.input, *loaded.graph.output):
        assert value.doc_string.startswith(starts)
        batch = value.type.tensor_type.shape.dim[0]
        assert batch.dim_param
        assert not batch.dim_value


def test_what_is_not_alike_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"before")
    monkeypatch.setattr(onnx_file, "largest_difference", lambda *_: (40, 0.125))
    with pytest.raises(Pg2Error, match=r"up to 40 grey levels off .*, 12\.50% of all values by more"):
        export_onnx(difference(), path)
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    assert path.read_bytes() == b"before"


def test_what_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = difference()
    with pytest.raises(Pg2Error, match=r"model\.pb must end in \.onnx"):
        export_onnx(model, tmp_path / "model.pb")
    monkeypatch.setattr(onnx_file.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(Pg2Error, match=r'needs the extra "export": pip install "pg2\[export\]"'):
        export_onnx(model, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []
