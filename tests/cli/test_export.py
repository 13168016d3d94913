"""`pg2 export`, and the commands that take its file."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_samples import PHOTO, assert_refused
from PIL import Image

from pg2 import PG2


def test_it_writes_a_file_and_says_how_exact_it_is(pg2, model: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "model.onnx"
    ran = pg2("export", model, "--onnx", out)
    assert ran.code == 0, ran.err
    path, said = ran.out.splitlines()
    assert path == str(out)
    assert said.startswith("frame 32x16; pictures: image, coarse, difference; at most ")
    assert said.endswith(" of 255 grey levels off PyTorch")
    assert list(tmp_path.iterdir()) == [out]


def test_what_is_refused(pg2, model: Path, exported: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "model.onnx"
    for arguments, said in (
        ([model, "--onnx", tmp_path / "model.pt"], "model.pt must end in .onnx"),
        ([model, "--onnx", out, "--background", "keep"], "this model has no choice"),
        ([tmp_path / "nowhere", "--onnx", out], "there is no model"),
        ([exported, "--onnx", out], "is a file; give the folder"),
    ):
        assert_refused(pg2("export", *arguments), said)
    assert list(tmp_path.iterdir()) == []


def test_commands_take_the_file(pg2, exportable: PG2, exported: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """The pictures are nearly those of the model itself."""
    exportable.save(tmp_path / "model")
    made = {}
    for name, model in (("torch", tmp_path / "model"), ("onnx", exported)):
        out = tmp_path / f"{name}.png"
        ran = pg2("generate", PHOTO, "--pose", "walking", "--model", model, "--strip", "--out", out)
        assert ran.code == 0, ran.err
        with Image.open(out) as opened:
            made[name] = np.asarray(opened).astype(int)
    # The weights of a folder are stored in float16.
    assert np.abs(made["torch"] - made["onnx"]).mean() <= 1
    ran = pg2("views", exported, PHOTO, "--out", tmp_path / "views.png")
    assert ran.code == 0, ran.err
    ran = pg2("animate", PHOTO, "--motion", "front,left", "--model", exported, "--out", tmp_path / "a.gif")
    assert ran.code == 0, ran.err
    folder = tmp_path / "many"
    ran = pg2("generate", PHOTO, "--poses", "left,back", "--model", exported, "--out", folder)
    assert ran.code == 0, ran.err
    assert len(list(folder.glob("**/*.png"))) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--backend", "torch"], "is an exported model, which runs on onnx or openvino, not on torch"),
        (["--device", "cuda"], "the backend onnx runs on the processor, not on cuda; leave out the device"),
        (
            ["--background", "expected"],
            'the exported model has "keep", not "expected"; export the model with',
        ),
        (["--revision", "main"], "is a file and has no revision main"),
    ],
)
def test_what_the_file_cannot_do(  # type: ignore[no-untyped-def]
    pg2, exported: Path, tmp_path: Path, options: list[str], said: str
) -> None:
    out = tmp_path / "result.png"
    assert_refused(
        pg2("generate", PHOTO, "--pose", "front", "--model", exported, "--out", out, *options), said
    )
    assert not out.exists()


def test_pytorch_is_not_loaded_for_it(exported: Path, tmp_path: Path) -> None:
    """It takes a second and 200 MB. In a process of its own."""
    code = """
import sys
sys.argv = ["pg2", "generate", *sys.argv[1:]]
from pg2.cli import main
main()
assert not {"torch", "onnx", "safetensors", "huggingface_hub", "pydantic"} & sys.modules.keys()
"""
    out = tmp_path / "result.png"
    ran = subprocess.run(
        [sys.executable, "-c", code, PHOTO, "--pose", "walking", "--model", exported, "--out", out],
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    with Image.open(out) as opened:
        assert opened.size == (32, 64)
