"""Inception of 2015 from a file: its shape by published counts, its resizing, and files that are wrong."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pg2.errors import Pg2Error
from pg2.evaluation.inception import Inception, InceptionV3, resize_tf1


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights under the published names; those of the field cannot be had here."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("inception") / "pt_inception.pth"
    torch.save({name: value.half() for name, value in InceptionV3().state_dict().items()}, path)
    return path


def test_it_has_the_published_tensors() -> None:
    with torch.device("meta"):
        state = InceptionV3().state_dict()
    convs = [name for name in state if name.endswith("conv.weight")]
    assert len(convs) == 94
    # The 23,834,568 of Inception-v3 without its auxiliary head, and eight classes more than 1,000.
    parameters = sum(value.numel() for name, value in state.items() if "running" not in name)
    assert parameters - sum("num_batches" in name for name in state) == 23_850_960
    assert state["Mixed_7c.branch3x3dbl_3b.conv.weight"].shape == (384, 384, 3, 1)
    assert state["fc.weight"].shape == (1008, 2048)


def test_a_look(weights: Path) -> None:
    torch.manual_seed(1)
    images = torch.randint(0, 256, (2, 3, 128, 64), dtype=torch.uint8)
    look = Inception(weights).look(images)
    assert look.probabilities.shape == (2, 1008)
    torch.testing.assert_close(look.probabilities.sum(1), torch.ones(2))
    assert look.pooled.shape == (2, 2048)
    assert look.pooled.isfinite().all()
    assert not torch.equal(look.pooled[0], look.pooled[1])
    assert look.layers is None


def test_nothing_of_it_stays_on_the_cpu(weights: Path) -> None:
    images = torch.empty(2, 3, 128, 64, dtype=torch.uint8, device="meta")
    look = Inception(weights, "meta").look(images)
    assert look.probabilities.device.type == look.pooled.device.type == "meta"
    assert (look.probabilities.shape, look.pooled.shape) == ((2, 1008), (2, 2048))


def test_resizing_as_tensorflow_one_does() -> None:
    """Pixel i of the result looks at i * in / out, from the first pixel's corner, never beyond the last."""
    line = torch.arange(4.0).view(1, 1, 1, 4).expand(1, 1, 4, 4)
    found = resize_tf1(line, 8)[0, 0, 0]
    assert found.tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3]
    random = torch.rand(1, 2, 5, 7)
    rows = np.minimum(np.arange(9) * (5 / 9), 4)
    columns = np.minimum(np.arange(9) * (7 / 9), 6)
    for y, x in ((0, 0), (4, 5), (8, 8)):
        top, left = int(rows[y]), int(columns[x])
        bottom, right = min(top + 1, 4), min(left + 1, 6)
        a, b = rows[y] - top, columns[x] - left
        part = random[0, 0]
        expected = (1 - a) * ((1 - b) * part[top, left] + b * part[top, right]) + a * (
            (1 - b) * part[bottom, left] + b * part[bottom, right]
        )
        assert resize_tf1(random, 9)[0, 0, y, x] == pytest.approx(float(expected), abs=1e-6)


def test_wrong_files_are_named(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(Pg2Error, match="there is no file"):
        Inception(tmp_path / "absent.pth")
    cut = tmp_path / "cut.pth"
    cut.write_bytes(weights.read_bytes()[:100_000])
    with pytest.raises(Pg2Error, match=r"cut\.pth cannot be read .* download cut short"):
        Inception(cut)
    other = tmp_path / "other.pth"
    torch.save({"features.0.weight": torch.zeros(1)}, other)
    with pytest.raises(Pg2Error, match=r"other\.pth holds another network .* has no Conv2d_1a_3x3"):
        Inception(other)
    state = torch.load(weights)
    state["fc.weight"] = torch.zeros(1000, 2048)
    torch.save(state, other)
    with pytest.raises(Pg2Error, match=r"its fc\.weight is \[1000, 2048\], not \[1008, 2048\]"):
        Inception(other)
