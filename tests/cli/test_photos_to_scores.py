"""The whole way from photos to pictures and scores, by command."""

import json
import shutil
from pathlib import Path

import pytest
from cli_samples import PHOTO, assert_refused, size_of

from pg2.data.prepared import PreparedDataset
from pg2.io.devices import choose_device, runs_bf16
from pg2.io.packaged import SAMPLES


def scored_ssim(report: Path) -> float:
    document = json.loads((report / "scores.json").read_text())
    return float(document["rows"]["stage II (refined)"]["ssim"]["mean"])


@pytest.mark.filterwarnings("ignore:this processor has no bf16")
@pytest.mark.filterwarnings("ignore:.*fewer than the 10 splits")
def test_from_photos_to_scores(pg2, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Photos -> data set -> both stages -> pictures and scores, all by command."""
    people = tmp_path / "people"
    for person in ("00001", "00003", "00005"):
        for pose in ("00", "01", "02"):
            (people / person).mkdir(parents=True, exist_ok=True)
            shutil.copy(SAMPLES / person / f"{pose}.jpg", people / person)
    data, run = tmp_path / "data", tmp_path / "run"
    prepared = pg2("prepare", "folder", people, data, "--size", "32x16")
    assert prepared.code == 0, prepared.err
    names = [record.name for record in PreparedDataset(data).records]
    assert len(names) == 9
    steps = ["--set", "coarse.steps=2", "--set", "refined.steps=2"]
    trained = pg2("train", "debug", data, "--out", run, *steps)
    assert trained.code == 0, trained.err
    model = Path(trained.out.strip())
    assert model == run / "refined/model"

    made = pg2("generate", PHOTO, "--pose", "back", "--model", model, "--out", tmp_path / "a.png")
    assert made.code == 0, made.err
    assert size_of(tmp_path / "a.png") == (16, 32)
    made = pg2("generate", PHOTO, "--pose", "back", "--model", model, "--out", tmp_path / "s.png", "--strip")
    assert made.out.strip() == str(tmp_path / "s.png")
    assert size_of(tmp_path / "s.png")[0] > 5 * 16
    made = pg2(
        "generate", PHOTO, "--pose", "back", "--model", model, "--out", tmp_path / "f.png", "--full-size"
    )
    assert size_of(tmp_path / "f.png") == (256, 256)
    photos = [PHOTO, str(SAMPLES / "00005/01.jpg")]
    made = pg2(
        "generate",
        *photos,
        "--pose",
        "left",
        "--pose",
        "walking",
        "--model",
        model,
        "--out",
        tmp_path / "g.png",
    )
    assert made.code == 0, made.err
    assert size_of(tmp_path / "g.png")[0] > 3 * 16

    pairs = tmp_path / "pairs.csv"
    pairs.write_text(f"from,to\n{names[0]},{names[1]}\n{names[1]},{names[0]}\n{names[3]},{names[4]}\n")
    scored = pg2("evaluate", model, data, "--pairs", pairs, "--out", tmp_path / "scores")
    assert scored.code == 0, scored.err
    assert "copy source" in scored.out
    assert "stage II" in scored.out
    assert {file.name for file in (tmp_path / "scores").iterdir()} == {
        "scores.json", "scores.md", "pairs.csv", "grid.png", "failures.html"
    }  # fmt: skip
    assert "pg2 evaluate" in (tmp_path / "scores/scores.md").read_text()
    assert_refused(pg2("evaluate", model, data, "--out", tmp_path / "all"), "no pairs in its test split")
    ssim = scored_ssim(tmp_path / "scores")
    other = ["--bodies", 0, "--out", tmp_path / "bf16", "--device", "auto", "--precision", "bf16"]
    half = pg2("evaluate", model, data, "--pairs", pairs, *other)
    assert half.code == 0, half.err
    assert scored_ssim(tmp_path / "bf16") == pytest.approx(ssim, abs=0.01)
    if runs_bf16(choose_device("auto")):
        assert scored_ssim(tmp_path / "bf16") != ssim
    assert_refused(
        pg2("evaluate", model, data, "--device", "nowhere", "--out", tmp_path / "no"), 'no device "nowhere"'
    )
    for out, store in (("a", "a/pictures"), ("b/scores", "b"), ("c", "c")):
        places = ["--out", tmp_path / out, "--store", tmp_path / store]
        assert_refused(pg2("evaluate", model, data, "--pairs", pairs, *places), "lie in one another")
        assert not (tmp_path / out).exists()
    # The same people in larger pictures are scaled down, as in training; other shapes are refused.
    larger, square = tmp_path / "larger", tmp_path / "square"
    pg2("prepare", "folder", people, larger, "--size", "64x32")
    scaled = pg2("evaluate", model, larger, "--pairs", pairs, "--bodies", 0, "--out", tmp_path / "scaled")
    assert scaled.code == 0, scaled.err
    assert "on folder, scaled to 32x16, 3 pairs" in scaled.out
    pg2("prepare", "folder", people, square, "--size", "32x32")
    assert_refused(
        pg2("evaluate", model, square, "--pairs", pairs, "--out", tmp_path / "no"),
        "holds pictures of 32x32; they can be scaled down to the same shape, not brought to 32x16",
    )

    tuned = pg2("train", "debug", data, "--out", tmp_path / "tuned", *steps, "--init-from", model)
    assert tuned.code == 0, tuned.err
