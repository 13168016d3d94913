"""Scoring stored pictures: folders, panels, masks of all kinds, and everything that can be wrong."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pg2 import metrics
from pg2.errors import Pg2Error
from pg2.evaluation.classifier import Classifier
from pg2.evaluation.distributions import frechet_distance
from pg2.evaluation.instruments import Instruments
from pg2.evaluation.judges import Look
from pg2.evaluation.scores import COPY, REAL
from pg2.evaluation.stored import GENERATED, StoredPictures, score_stored
from pg2.io.packaged import SAMPLES
from pg2.io.pictures import load_image
from pg2.pose.estimator import PoseEstimator
from pg2.pose.formats import format_keypoints_csv, read_keypoints_csv
from pg2.pose.maps import pose_mask

RNG = np.random.default_rng(0)
PICTURES = {side: RNG.integers(0, 256, (5, 32, 16, 3), dtype=np.uint8) for side in ("a", "b", "c")}
PLAIN = Instruments()


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    found = {}
    for side, pictures in PICTURES.items():
        folder = found[side] = tmp_path / side
        folder.mkdir()
        for number, picture in enumerate(pictures):
            Image.fromarray(picture).save(folder / f"{number}.png")
    return found


def as_tensor(side: str) -> torch.Tensor:
    return torch.from_numpy(PICTURES[side]).permute(0, 3, 1, 2)


def test_two_folders(folders: dict[str, Path]) -> None:
    found = score_stored(StoredPictures(folders["a"], folders["b"]), PLAIN, progress=False)
    assert list(found.rows) == [GENERATED]
    assert found.pairs[3] == ("3", "3")
    assert found.instruments == []
    torch.testing.assert_close(found.rows[GENERATED]["ssim"], metrics.ssim(as_tensor("a"), as_tensor("b")))
    assert "mask_ssim" not in found.about


def test_panels_are_the_same_as_folders(folders: dict[str, Path], tmp_path: Path) -> None:
    panels = tmp_path / "panels"
    panels.mkdir()
    for number in range(5):
        sheet = np.hstack(
            [PICTURES["c"][number], PICTURES["c"][number], PICTURES["b"][number], PICTURES["a"][number]]
        )
        Image.fromarray(sheet).save(panels / f"{number}.png")
    stored = StoredPictures(panels, panels=["source", "pose", "target", "generated"])
    found = score_stored(stored, PLAIN, progress=False)
    apart = StoredPictures(folders["a"], folders["b"], sources=folders["c"])
    expected = score_stored(apart, PLAIN, progress=False)
    assert list(found.rows) == list(expected.rows) == [COPY, GENERATED]
    for row, scores in expected.rows.items():
        for score, values in scores.items():
            torch.testing.assert_close(found.rows[row][score], values)


def test_masks_from_a_folder_and_from_keypoints_are_one(folders: dict[str, Path], tmp_path: Path) -> None:
    points = RNG.uniform((0, 0), (16, 32), (5, 18, 2)).astype(np.float32).round(2)
    masks = pose_mask(torch.from_numpy(points), (32, 16))
    (tmp_path / "masks").mkdir()
    for number, mask in enumerate(masks):
        Image.fromarray((mask[0].numpy() * 255).astype(np.uint8)).save(tmp_path / "masks" / f"{number}.png")
    table = tmp_path / "keypoints.csv"
    table.write_text(format_keypoints_csv((f"{i}.jpg", pose) for i, pose in enumerate(points)))
    expected = metrics.mask_ssim(as_tensor("a"), as_tensor("b"), masks.to(torch.uint8))
    (tmp_path / "binary").mkdir()
    for number, mask in enumerate(masks):
        Image.fromarray(mask[0].numpy().astype(np.uint8)).save(tmp_path / "binary" / f"{number}.png")
    for given in (tmp_path / "masks", tmp_path / "binary", table):
        stored = StoredPictures(
            folders["a"], folders["b"], sources=folders["c"], masks=given, source_masks=tmp_path / "masks"
        )
        found = score_stored(stored, PLAIN, progress=False)
        torch.testing.assert_close(found.rows[GENERATED]["mask_ssim"], expected)
        torch.testing.assert_close(found.rows[GENERATED]["mask_ssim_source"], expected)
    with pytest.raises(Pg2Error, match="one pose for each name, and sources and targets have the same"):
        StoredPictures(folders["a"], folders["b"], sources=folders["c"], masks=table, source_masks=table)


def test_masks_have_the_names_of_their_own_side(folders: dict[str, Path], tmp_path: Path) -> None:
    """Targets called 1 to 5 beside pictures called 0 to 4: each side's poses by its own names."""
    points = RNG.uniform((0, 0), (16, 32), (11, 18, 2)).astype(np.float32).round(2)
    table = tmp_path / "keypoints.csv"
    table.write_text(format_keypoints_csv((f"{number}.jpg", pose) for number, pose in enumerate(points)))
    for number in reversed(range(5)):
        (folders["b"] / f"{number}.png").rename(folders["b"] / f"{number + 1}.png")
        (folders["c"] / f"{number}.png").rename(folders["c"] / f"{number + 6}.png")
    stored = StoredPictures(
        folders["a"], folders["b"], sources=folders["c"], masks=table, source_masks=table, by_order=True
    )
    assert stored.pairs == [(str(number), str(number + 1)) for number in range(5)]
    parts = next(stored.batches())
    wanted = pose_mask(torch.from_numpy(points), (32, 16)).to(torch.uint8)
    torch.testing.assert_close(parts["target_mask"], wanted[1:6])
    # The sources are 6 to 10: 10 comes last, though "10" sorts before "6".
    torch.testing.assert_close(parts["source_mask"], wanted[6:])


def test_pictures_in_folders_below(folders: dict[str, Path], tmp_path: Path) -> None:
    """Names may repeat below other folders: poses, masks and panels keep them apart."""
    points = RNG.uniform((0, 0), (16, 32), (5, 18, 2)).astype(np.float32).round(2)
    masks = pose_mask(torch.from_numpy(points), (32, 16)).to(torch.uint8)
    places = ["p0/00", "p0/01", "p1/00", "p1/01", "p2/02"]
    for number, place in enumerate(places):
        for side in ("a", "b"):
            (folders[side] / place).parent.mkdir(exist_ok=True)
            (folders[side] / f"{number}.png").rename(folders[side] / f"{place}.png")
        mask = tmp_path / "masks" / f"{place}.png"
        mask.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(masks[number, 0].numpy() * 255).save(mask)
        (mask.parent / f"._{mask.name}").write_bytes(b"what a Mac leaves")
    table = tmp_path / "k.csv"
    table.write_text(
        format_keypoints_csv((f"{place}.jpg", pose) for place, pose in zip(places, points, strict=True))
    )
    for given in (tmp_path / "masks", table):
        stored = StoredPictures(folders["a"], folders["b"], masks=given)
        torch.testing.assert_close(next(stored.batches())["target_mask"], masks)
    flat = tmp_path / "flat.csv"
    flat.write_text(format_keypoints_csv([("02.jpg", points[4])]))
    with pytest.raises(Pg2Error, match=r"flat\.csv has no keypoints for p0/00"):
        next(StoredPictures(folders["a"], folders["b"], masks=flat).batches())


def test_panels_whose_names_say_both(tmp_path: Path) -> None:
    """Five panels a file, called SOURCE___TARGET_vis: the poses of both from one list."""
    points = RNG.uniform((0, 0), (16, 32), (4, 18, 2)).astype(np.float32).round(2)
    names = [f"0002_c1s1_00045{number}_03" for number in range(4)]
    table = tmp_path / "annotation.csv"
    table.write_text(
        format_keypoints_csv((f"{name}.jpg", pose) for name, pose in zip(names, points, strict=True))
    )
    (tmp_path / "images").mkdir()
    order = [(0, 1), (2, 3), (3, 0)]
    for source, target in order:
        sheet = np.hstack([PICTURES["a"][number] for number in range(5)])
        name = f"{names[source]}.jpg___{names[target]}.jpg_vis.png"
        Image.fromarray(sheet).save(tmp_path / "images" / name)
    stored = StoredPictures(
        tmp_path / "images",
        panels=["source", "pose", "target", "pose", "generated"],
        masks=table,
        source_masks=table,
    )
    assert stored.pairs[1][1] == names[3]
    parts = next(stored.batches())
    wanted = pose_mask(torch.from_numpy(points), (32, 16)).to(torch.uint8)
    torch.testing.assert_close(parts["source_mask"], wanted[[source for source, _ in order]])
    torch.testing.assert_close(parts["target_mask"], wanted[[target for _, target in order]])


def test_the_layout_of_the_released_code(folders: dict[str, Path], tmp_path: Path) -> None:
    """PG2's own test script: x, x_target, G2, mask (the source's) and mask_target, numbered."""
    masks = pose_mask(
        torch.from_numpy(RNG.uniform((0, 0), (16, 32), (10, 18, 2)).astype(np.float32)), (32, 16)
    )
    result = tmp_path / "test_result"
    for number in range(5):
        for side, folder in (("a", "G2"), ("b", "x_target"), ("c", "x")):
            (result / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(PICTURES[side][number]).save(result / folder / f"{number:05d}.png")
        for mask, folder in ((masks[number], "mask_target"), (masks[5 + number], "mask")):
            (result / folder).mkdir(exist_ok=True)
            Image.fromarray((mask[0].numpy() * 255).astype(np.uint8)).save(
                result / folder / f"{number:05d}.png"
            )
    stored = StoredPictures(
        result / "G2",
        result / "x_target",
        sources=result / "x",
        masks=result / "mask_target",
        source_masks=result / "mask",
    )
    found = score_stored(stored, PLAIN, progress=False).rows[GENERATED]
    for score, part in (("mask_ssim", masks[:5]), ("mask_ssim_source", masks[5:])):
        wanted = metrics.mask_ssim(as_tensor("a"), as_tensor("b"), part.to(torch.uint8))
        torch.testing.assert_close(found[score], wanted)


def test_a_target_of_several_pairs_counts_once(folders: dict[str, Path], tmp_path: Path) -> None:
    """However it is called: pixels say which targets are one."""
    tools = Instruments([Classifier()])
    for number in range(1, 5):
        Image.fromarray(PICTURES["b"][number % 2]).save(folders["b"] / f"{number}.png")
    with pytest.warns(UserWarning, match="fewer than the 10 splits"):
        found = score_stored(StoredPictures(folders["a"], folders["b"]), tools, progress=False)
    looks = Classifier().look(as_tensor("a")).pooled, Classifier().look(as_tensor("b")[:2]).pooled
    estimate = found.estimate(GENERATED, "lite0_fid_test")
    assert estimate is not None
    assert estimate.mean == pytest.approx(frechet_distance(*looks), rel=1e-4)


def test_one_target_may_have_several_masks(tmp_path: Path) -> None:
    """What a network saw within one mask is not taken for what it would see within another."""
    target, within = PICTURES["b"][0], []
    for side in ("made", "real", "masks"):
        (tmp_path / side).mkdir()
    for number in range(10):
        mask = np.zeros((32, 16), np.uint8)
        mask[: 4 + 3 * number] = 255
        within.append(np.where(mask[..., None] > 0, target, 0))
        for side, picture in (("made", PICTURES["a"][number // 2]), ("real", target), ("masks", mask)):
            Image.fromarray(picture).save(tmp_path / side / f"{number}.png")
    seen: list[torch.Tensor] = []

    class Noting(Classifier):
        def look(self, images: torch.Tensor) -> Look:
            seen.append(images)
            return super().look(images)

    stored = StoredPictures(tmp_path / "made", tmp_path / "real", masks=tmp_path / "masks")
    score_stored(stored, Instruments([Noting()]), progress=False)
    wanted = torch.from_numpy(np.stack(within)).permute(0, 3, 1, 2)
    assert any(torch.equal(images, wanted) for images in seen)
    assert any(len(images) == 1 for images in seen), "the target itself is one picture"


def test_nobody_on_a_target(folders: dict[str, Path]) -> None:
    """No pose, no mask: two black frames are no perfect match. The estimator still says what it thinks."""
    for number in range(5):
        Image.new("RGB", (16, 32), (number, 99, 99)).save(folders["b"] / f"{number}.png")
    stored = StoredPictures(folders["a"], folders["b"], masks="auto")
    tools = Instruments(estimator=PoseEstimator(threads=1), bodies=2)
    with pytest.warns(UserWarning, match="5 of 5 targets have an empty pose mask"):
        found = score_stored(stored, tools, progress=False)
    assert found.rows[GENERATED]["mask_ssim"].isnan().all()
    assert found.estimate(GENERATED, "mask_ssim") is None
    assert found.measured("mask_ssim") == 0
    assert found.measured("person") == 2
    assert found.measured("ssim") == 5
    unposed = score_stored(StoredPictures(folders["a"], folders["b"]), tools, progress=False)
    assert "person" in unposed.about
    assert "pckh" not in unposed.about


def test_masks_of_poses_that_are_found(tmp_path: Path) -> None:
    """Pictures against their own copies; the mask drawn from the pose found covers the person."""
    for side in ("a", "b"):
        (tmp_path / side).mkdir()
        for person in (0, 3):
            Image.open(SAMPLES / f"{person:05d}" / "00.jpg").save(tmp_path / side / f"{person}.png")
    stored = StoredPictures(tmp_path / "a", tmp_path / "b", masks="auto")
    parts = next(stored.batches())
    known = read_keypoints_csv(SAMPLES / "keypoints.csv")
    points = torch.from_numpy(np.stack([known[f"{person:05d}/00.jpg"] for person in (0, 3)]))
    wanted = pose_mask(points, (256, 256))
    overlap = (parts["target_mask"] * wanted).sum((1, 2, 3)) / wanted.sum((1, 2, 3))
    assert overlap.min() > 0.7
    found = score_stored(stored, PLAIN, progress=False)
    assert found.rows[GENERATED]["mask_ssim"].tolist() == [1.0, 1.0]


def test_distances_to_a_training_folder(folders: dict[str, Path]) -> None:
    tools = Instruments([Classifier()])
    with pytest.warns(UserWarning, match="fewer than the 10 splits"):
        found = score_stored(StoredPictures(folders["a"], folders["b"]), tools, folders["c"], progress=False)
    assert {"lite0_fid_test", "lite0_fid_train", "lite0_kid_train"} <= found.about.keys()
    assert list(found.rows) == [GENERATED, REAL]


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda f: (f["a"] / "4.png").unlink(), r"different numbers of pictures: .*a 4, .*b 5"),
        (lambda f: (f["a"] / "4.png").rename(f["a"] / "9.png"), "a has 9 where .*b has 4.*--by-order"),
        (
            lambda f: Image.new("RGB", (20, 32)).save(f["a"] / "4.png"),
            "different sizes .* 4 is 32x20 where",
        ),
        (lambda f: (f["a"] / "4.png").write_bytes(b"no"), r"4\.png"),
        (lambda f: [file.unlink() for file in f["a"].iterdir()], "holds no pictures"),
    ],
)
def test_folders_that_do_not_fit(folders: dict[str, Path], break_it: object, words: str) -> None:
    break_it(folders)  # type: ignore[operator]
    with pytest.raises(Pg2Error, match=words):
        score_stored(StoredPictures(folders["a"], folders["b"]), PLAIN, progress=False)


def test_by_order(folders: dict[str, Path]) -> None:
    for number, name in enumerate((1, 2, 10, 11, 100)):
        (folders["a"] / f"{number}.png").rename(folders["a"] / f"{name}_made.png")
    found = score_stored(StoredPictures(folders["a"], folders["b"], by_order=True), PLAIN, progress=False)
    torch.testing.assert_close(found.rows[GENERATED]["l1"], metrics.l1(as_tensor("a"), as_tensor("b")))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"target": None}, "give a folder of generated and one of target pictures, or --panels"),
        ({"panels": ["target", "generated"]}, "--panels takes one folder"),
        ({"target": None, "panels": ["source", "generated"]}, "must name target once"),
        ({"target": None, "panels": ["target", "generated", "x"]}, "16 pixels wide, .* into 3 panels"),
        ({"target": None, "panels": ["target", "generated"]}, "0 is 32x8 pixels; SSIM needs 11 a side"),
        ({"source_masks": "auto"}, "--source-masks needs the source pictures"),
        ({"target": "absent"}, "there is no folder"),
        ({"masks": "c"}, "the mask .* is 20x20, its picture 32x16"),
    ],
)
def test_arguments_that_make_no_sense(
    folders: dict[str, Path], arguments: dict[str, object], words: str
) -> None:
    for file in folders["c"].iterdir():
        Image.new("L", (20, 20)).save(file)
    given = {"target": folders["b"], **arguments}
    for key in ("target", "masks"):
        if isinstance(given.get(key), str):
            given[key] = folders["b"].parent / str(given[key])
    with pytest.raises(Pg2Error, match=words):
        score_stored(StoredPictures(folders["a"], **given), PLAIN, progress=False)  # type: ignore[arg-type]


def test_keypoints_and_masks_that_are_missing(folders: dict[str, Path], tmp_path: Path) -> None:
    table = tmp_path / "k.csv"
    table.write_text(format_keypoints_csv([("0.jpg", np.zeros((18, 2), np.float32))]))
    with pytest.raises(Pg2Error, match=r"k\.csv has no keypoints for 1"):
        score_stored(StoredPictures(folders["a"], folders["b"], masks=table), PLAIN, progress=False)
    (folders["c"] / "2.png").unlink()
    table.write_text(format_keypoints_csv([("0.jpg", np.full((18, 2), 20, np.float32))]))
    with pytest.raises(Pg2Error, match=r"keypoints of 0 outside its 32x16 pixels: .* another size or crop"):
        score_stored(StoredPictures(folders["a"], folders["b"], masks=table), PLAIN, progress=False)
    Image.new("L", (16, 32)).save(folders["c"] / "0.png")
    with pytest.raises(Pg2Error, match=r"0\.png is black: it shows no body"):
        score_stored(StoredPictures(folders["a"], folders["b"], masks=folders["c"]), PLAIN, progress=False)
    Image.new("L", (16, 32), 255).save(folders["c"] / "0.png")
    with pytest.raises(Pg2Error, match="no mask called 2"):
        score_stored(StoredPictures(folders["a"], folders["b"], masks=folders["c"]), PLAIN, progress=False)


def test_training_pictures_without_a_judge(folders: dict[str, Path]) -> None:
    with pytest.raises(Pg2Error, match=r"need pg2\[metrics\], or --inception"):
        score_stored(StoredPictures(folders["a"], folders["b"]), PLAIN, folders["c"], progress=False)


def test_pictures_are_read_as_they_are_saved(folders: dict[str, Path]) -> None:
    stored = StoredPictures(folders["a"], folders["b"])
    assert np.array_equal(stored.pictures(2)["generated"], load_image(folders["a"] / "2.png"))
