"""Opening an exported model: what it says, and files that are none."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from export_samples import coarse, difference

from pg2 import PG2, Pg2Error
from pg2.export.check import random_inputs
from pg2.export.graph import KEY, Description, Graph
from pg2.export.onnx_file import to_onnx
from pg2.export.openvino_engine import runs_bf16
from pg2.models.inputs import PictureInfo
from pg2.pose.estimator import MOVENET

SAID = Description((64, 32), ("coarse", "refined"), {"coarse": PictureInfo("stage I")}, "keep", 7, "ab", 1)


def test_a_description_is_read_as_it_was_written() -> None:
    assert Description.from_json(SAID.to_json()) == SAID


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "cannot be read"),
        ("[]", "cannot be read"),
        ("", "cannot be read"),
        (SAID.to_json().replace('"format": 1', '"format": 2'), "by a newer pg2; upgrade pg2"),
        (SAID.to_json().replace('"frame"', '"size"'), "cannot be read"),
        (SAID.to_json().replace("64", "Infinity"), "cannot be read"),
        (SAID.to_json().replace('"image"', '"film"'), "cannot be read"),
        (SAID.to_json().replace('["coarse"', '["first"'), "cannot be read"),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_a_description_that_is_none(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Description.from_json(text)


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_files_that_are_no_exported_models(exported: Path, tmp_path: Path, engine: str) -> None:
    if engine == "openvino":
        pytest.importorskip("openvino")
    with pytest.raises(Pg2Error, match=r"cannot read .*nowhere\.onnx: no such file or directory"):
        Graph.open(tmp_path / "nowhere.onnx", engine)  # type: ignore[arg-type]
    content = exported.read_bytes()
    for name, damaged in (("empty", b""), ("text", b"hello"), ("half", content[: len(content) // 2])):
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(Pg2Error, match=f"{name} is (damaged or not an ONNX file|not a model that)"):
            Graph.open(tmp_path / name, engine)  # type: ignore[arg-type]
    with pytest.raises(Pg2Error, match=r"thunder\.onnx is not a model that `pg2 export` wrote"):
        Graph.open(MOVENET, engine)  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_a_file_that_is_not_what_it_says(exported: Path, tmp_path: Path, engine: str) -> None:
    if engine == "openvino":
        pytest.importorskip("openvino")
    graph = Graph.open(exported, engine)  # type: ignore[arg-type]
    with pytest.raises(Pg2Error, match=r"model\.onnx does not run; export the model again"):
        graph(*random_inputs((32, 16), 1))
    loaded = onnx.load(exported)
    (said,) = (entry for entry in loaded.metadata_props if entry.key == KEY)
    whole = said.value
    for true, false, words in (
        ('"silhouette":', '"outline":', "it has no output outline"),
        ("[64, 32]", "[64, 31]", "its pictures are of another size than it says"),
    ):
        said.value = whole.replace(true, false)
        assert said.value != whole
        onnx.save(loaded, tmp_path / "other.onnx")
        with pytest.raises(Pg2Error, match=rf"other\.onnx is not a model that .* wrote: {words}"):
            Graph.open(tmp_path / "other.onnx", engine)  # type: ignore[arg-type]


def test_a_signal_after_several_models_were_opened_and_left(exported: Path) -> None:
    """OpenVINO once took away the stack that signals are handled on: Ctrl-C was a crash of the process."""
    pytest.importorskip("openvino")
    code = f"""
import signal
from pg2.export.graph import Graph
signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored
first, second = (Graph.open({str(exported)!r}, "openvino") for _ in range(2))
del first
del second
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("heeded")
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "heeded\n"), ended.stderr


def test_threads_are_honoured(exported: Path) -> None:
    inputs = random_inputs((64, 32), 1)
    one, two = (Graph.open(exported, threads=threads)(*inputs) for threads in (1, 2))
    for name in one.keys() - {"fetched"}:
        assert np.abs(one[name].astype(int) - two[name]).max() <= 1


def test_openvino_draws_the_same(exported: Path) -> None:
    """In float32 nearly; in bf16, where the processor has it, about."""
    pytest.importorskip("openvino")
    inputs = random_inputs((64, 32), 4)
    expected = Graph.open(exported)(*inputs)
    for rough, most, mean in ((False, 3, 0.01), (True, 255, 2.0)):
        graph = Graph.open(exported, "openvino", rough=rough)
        assert graph.rough == (rough and runs_bf16())
        made = graph(*inputs)
        assert made.keys() == expected.keys()
        for name in made.keys() - {"fetched"}:
            apart = np.abs(made[name].astype(int) - expected[name])
            assert apart.max() <= most, name
            assert apart.mean() <= mean, name


def test_in_bf16_openvino_does_not_round_keypoints(exported: Path) -> None:
    """They once were, and what was fetched came from half a pixel beside."""
    pytest.importorskip("openvino")
    if not runs_bf16():
        pytest.skip("this processor does not compute in bf16")
    both = random_inputs((64, 32), 4)
    exact, rough = (Graph.open(exported, "openvino", rough=rough) for rough in (False, True))
    # One picture, and the same among several, which is another way through the engine.
    for inputs in ([part[:1] for part in both], both):
        apart = np.linalg.norm(rough(*inputs)["fetched"] - exact(*inputs)["fetched"], axis=-1)
        assert np.median(apart[0]) < 0.15


@pytest.mark.parametrize("model", [coarse, difference])
def test_openvino_draws_in_bf16_whatever_a_model_does_with_poses(model: Callable[[], PG2]) -> None:
    """Stage I does not look at the source's pose; one takes poses as numbers, one as maps."""
    pytest.importorskip("openvino")
    content, _ = to_onnx(model())
    inputs = random_inputs((32, 16), 2)
    exact, rough = (Graph(content, "it", "openvino", rough=rough)(*inputs) for rough in (False, True))
    assert np.abs(rough["image"].astype(int) - exact["image"]).mean() < 2
    assert exact["image"].std() > 4, "there is something to be seen"


def test_without_openvino_it_is_said(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(Pg2Error, match=r'needs the extra "openvino": pip install "pg2\[openvino\]"'):
        Graph.open(exported, "openvino")
