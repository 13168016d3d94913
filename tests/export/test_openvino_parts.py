"""Models taken apart: which piece takes what."""

import io
from pathlib import Path

import pytest
from export_samples import coarse, difference

from pg2.export.graph import INPUTS
from pg2.export.onnx_file import to_onnx
from pg2.export.openvino_parts import Part, taken_apart

pytest.importorskip("openvino")
from pg2.export.openvino_engine import one_core


def pieces(content: bytes, *, rough: bool) -> list[Part]:
    read = one_core().read_model(io.BytesIO(content))
    read.reshape({port: [1, *list(port.partial_shape)[1:]] for port in read.inputs})
    return taken_apart(read, INPUTS[:2], rough=rough, core=one_core())


def inputs(part: Part) -> set[str]:
    return {name for port in part.model.inputs for name in port.names if name in INPUTS}


@pytest.fixture(scope="module", params=["transport", "difference", "coarse"])
def content(request: pytest.FixtureRequest, exported: Path) -> bytes:
    """Of the file of a model."""
    if request.param == "transport":
        return exported.read_bytes()
    return to_onnx({"difference": difference, "coarse": coarse}[request.param]())[0]


def test_a_piece_takes_what_it_depends_on(content: bytes) -> None:
    exact, rough = (pieces(content, rough=rough) for rough in (False, True))
    assert all(part.exact for part in exact)
    *poses, source, rest = rough
    assert [part.exact for part in (*poses, source, rest)] == [True] * len(poses) + [False, False]
    assert all("source" not in inputs(part) for part in poses)
    for part in (*exact, *rough):
        assert not part.lasts or "target_keypoints" not in inputs(part)
    assert [part.lasts for part in exact] == [True, False]
    assert source.lasts
    assert not rest.lasts


def test_the_ground_and_the_network_that_segments_are_of_the_source(exported: Path) -> None:
    _, source, rest = pieces(exported.read_bytes(), rough=True)
    kinds = [[node.get_type_name() for node in part.model.get_ordered_ops()] for part in (source, rest)]
    fetches = [names.count("GridSample") for names in kinds]
    # The ground's two sides, at the edge and mirrored; of the face the skin, the hair, and whether that is
    # the person's. Views, detail, colours, what is of the person, the trunk's other side.
    assert fetches == [7, 5]
    assert all("Convolution" in names for names in kinds)
