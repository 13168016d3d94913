"""A model as an ONNX file: it draws what the model draws, says what it is, or is not written.

Exports take long, so the tests share one. tests/cli/test_export.py makes another, of the paper's two stages,
and tests/test_backends.py one of stage I alone. benchmarks/backends.py exports, and so checks, all that ship.
"""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from export_samples import difference, made

from pg2 import PG2, Pg2Error
from pg2.export import onnx_file
from pg2.export.check import random_inputs
from pg2.export.graph import Graph
from pg2.export.onnx_file import LARGEST, export_onnx
from pg2.export.picture_model import PictureModel


def assert_alike(model: PG2, graph: Graph, pairs: int, seed: int) -> None:
    """The same pictures, but for few values of few levels."""
    inputs = random_inputs(model.config.frame, pairs, seed)
    with torch.inference_mode():
        expected = PictureModel(model)(*map(torch.from_numpy, inputs))
    drawn = graph(*inputs)
    assert list(drawn) == list(expected)
    for name, picture in drawn.items():
        if name == "fetched":
            np.testing.assert_allclose(picture, expected[name], atol=0.05)
            continue
        apart = np.abs(picture.astype(int) - expected[name].numpy())
        assert picture.dtype == np.uint8
        assert apart.max() <= LARGEST, name
        assert (apart > 0).mean() <= 0.01, name
        # Of one pair in random poses all of it may be fetched from beyond the edge.
        assert pairs == 1 or picture.std() > 0, name


def test_the_file_draws_what_the_model_draws(exportable: PG2, exported: Path) -> None:
    """Of batches of any size, with and without missing keypoints, none of which the export has seen."""
    graph = Graph.open(exported)
    for pairs, seed in ((1, 1), (3, 2), (8, 3)):
        assert_alike(exportable, graph, pairs, seed)


def test_it_says_what_it_is(exportable: PG2, exported: Path) -> None:
    description = Graph.open(exported).description
    assert description.frame == (64, 32)
    assert description.pictures == exportable.pictures
    assert (description.stages, description.background) == (("coarse", "refined"), "keep")
    assert description.weights == exportable.digest
    assert description.parameters == sum(value.numel() for value in exportable.parameters())
    assert str(Path(onnx_file.__file__).parents[1]).encode() not in exported.read_bytes(), (
        "folders of this machine"
    )
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


@pytest.fixture
def translated(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is exported comes out as the file that is there."""
    monkeypatch.setattr(onnx_file, "_translated", lambda _: ir.load(exported))


@pytest.mark.usefixtures("translated")
def test_what_is_not_alike_is_not_written(exportable: PG2, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"before")
    with pytest.raises(Pg2Error, match=r"up to \d+ grey levels off .*, \d+\.\d\d% of all values by more"):
        export_onnx(made(exportable.config, seed=1), path)
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    assert path.read_bytes() == b"before"


@pytest.mark.usefixtures("translated")
def test_a_broken_model_is_not_written(exportable: PG2, tmp_path: Path) -> None:
    """What is not a number looks like any other byte."""
    broken = made(exportable.config)
    with torch.no_grad():
        next(broken.refine.finish.parameters()).fill_(np.nan)
    with pytest.raises(Pg2Error, match="not finite"):
        export_onnx(broken, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_what_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = difference()
    with pytest.raises(Pg2Error, match=r"model\.pb must end in \.onnx"):
        export_onnx(model, tmp_path / "model.pb")
    monkeypatch.setattr(onnx_file.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(Pg2Error, match=r'needs the extra "export": pip install "pg2\[export\]"'):
        export_onnx(model, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []
