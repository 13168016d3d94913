"""Keeping pictures: the files that are there in the end, or none."""

import errno
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pg2.errors import Pg2Error
from pg2.evaluation.storing import storing
from pg2.io.pictures import load_image
from pg2.pose.formats import read_keypoints_csv

POSES = np.random.default_rng(0).uniform(0, 16, (5, 18, 2)).astype(np.float32).round(2)
PICTURES = torch.randint(
    0, 256, (5, 3, 32, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)
MASKS = PICTURES[:, :1] // 128 * 255


def store(folder: Path) -> None:
    before = list(folder.glob("*"))
    with storing(folder, POSES) as keep:
        for start in (0, 2, 4):
            part = slice(start, start + 2)
            keep(start, {"target": PICTURES[part], "mask": MASKS[part]})
        assert list(folder.glob("*")) == before, "all or nothing"


def test_pictures_are_numbered_as_the_pairs(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    store(folder)
    names = [f"{number:06d}.png" for number in range(5)]
    assert sorted(file.name for file in folder.iterdir()) == [
        "keypoints.csv", "mask", "store.json", "target"
    ]  # fmt: skip
    for side in ("target", "mask"):
        assert sorted(file.name for file in (folder / side).iterdir()) == names
    for number, name in enumerate(names):
        found = torch.from_numpy(load_image(folder / "target" / name).copy()).permute(2, 0, 1)
        assert torch.equal(found, PICTURES[number])
        with Image.open(folder / "mask" / name) as mask:
            assert mask.mode == "L"
            assert np.array_equal(np.asarray(mask), MASKS[number, 0].numpy())
    for pose, found in zip(POSES, read_keypoints_csv(folder / "keypoints.csv").values(), strict=True):
        np.testing.assert_allclose(found, pose, atol=1e-3)


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Image.Image.save

    def full(picture: Image.Image, path: Path) -> None:
        if path.name == "000003.png":
            raise OSError(errno.ENOSPC, "No space left on device")
        real(picture, path)

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(Pg2Error, match=r"cannot write .*kept: no space left on device"):
        store(tmp_path / "kept")
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with storing(None, POSES) as keep:
        keep(0, {"target": PICTURES})
    assert list(tmp_path.iterdir()) == []


def test_earlier_pictures_are_replaced_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    store(folder)
    (folder / "target" / "more.png").write_text("of an earlier evaluation of more pairs")
    store(folder)
    assert len(list((folder / "target").iterdir())) == 5
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(Pg2Error, match=r"holds thesis\.txt, which is not ours; give a new folder"):
        store(folder)
    assert (folder / "thesis.txt").read_text() == "mine"
    for about in ("{", "[]", "{}"):
        (tmp_path / "photos").mkdir(exist_ok=True)
        (tmp_path / "photos" / "store.json").write_text(about)
        with pytest.raises(Pg2Error, match=r"was not made by|not valid JSON"):
            store(tmp_path / "photos")
    (tmp_path / "photos" / "store.json").unlink()
    with pytest.raises(Pg2Error, match="photos exists and was not made by"):
        store(tmp_path / "photos")
