import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from data_samples import FakeEstimator, standing
from PIL import Image
from real_data import DEEPFASHION, needs

from pg2.data.pairs import Pairs
from pg2.data.prepared import PreparedDataset
from pg2.data.sources.deepfashion import LIST, PICTURES, prepare_deepfashion
from pg2.errors import Pg2Error
from pg2.evaluation.pair_lists import pair_indices
from pg2.pose.formats import format_keypoints_csv, read_keypoints_csv, read_pairs_csv
from pg2.pose.keypoints import Points

# Path below the folder of the pictures -> status in the owners' list, and the name in published lists.
LISTED = {
    "MEN/Shirts_Polos/id_00000018/01_1_front.jpg": "train",
    "MEN/Shirts_Polos/id_00000018/01_4_full.jpg": "train",
    "MEN/Shirts_Polos/id_00000018/02_1_front.jpg": "train",
    "WOMEN/Dresses/id_00000002/02_1_front.jpg": "query",
    "WOMEN/Dresses/id_00000002/02_7_additional.jpg": "gallery",
}
NAMES = [
    "fashionMENShirts_Polosid0000001801_1front.jpg",
    "fashionMENShirts_Polosid0000001801_4full.jpg",
    "fashionMENShirts_Polosid0000001802_1front.jpg",
    "fashionWOMENDressesid0000000202_1front.jpg",
    "fashionWOMENDressesid0000000202_7additional.jpg",
]
# The same pictures in the lists that write "fasion" and leave the underscore of the category out, too.
FASION = [name.replace("fashion", "fasion").replace("Shirts_Polos", "ShirtsPolos") for name in NAMES]
BLACK = np.zeros((256, 256, 3), np.uint8)


def pose() -> Points:
    """A figure in a picture of 256 x 256 that reaches from column 60 to column 196."""
    points = standing(256, 176) + np.array((40, 0), np.float32)
    points[[4, 7], 0] = 60, 196
    return points


def photo(left: int = 41, right: int = 41, border: int = 230, seed: int = 0) -> np.ndarray:
    """256 x 256: grey noise, smooth enough to survive a JPEG, between flat borders of these widths."""
    picture = np.full((256, 256, 3), border, np.uint8)
    coarse = np.random.default_rng(seed).integers(0, 200, (32, 32), dtype=np.uint8)
    inner = Image.fromarray(coarse).resize((256 - left - right, 256), Image.Resampling.BICUBIC)
    picture[:, left : 256 - right] = np.asarray(inner)[..., None]
    return picture


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=95)


def listing(listed: dict[str, str]) -> str:
    lines = [f"img/{path:60} {path.split('/')[2]} {status}" for path, status in listed.items()]
    return "\n".join([str(len(listed)), "image_name item_id evaluation_status", *lines]) + "\n"


def build(raw: Path, pictures: str = "Img/img", listed_in: str = "Eval") -> Path:
    for seed, path in enumerate(LISTED):
        save(raw / pictures / path, photo(seed=seed))
    (raw / listed_in).mkdir(exist_ok=True)
    (raw / listed_in / LIST).write_text(listing(LISTED))
    (raw / "fashion-annotation.csv").write_text(format_keypoints_csv((name, pose()) for name in NAMES))
    return raw


@pytest.fixture
def raw(tmp_path):
    return build(tmp_path / "In-shop")


def test_pictures_are_stored_byte_for_byte(raw, tmp_path):
    report = prepare_deepfashion(raw, tmp_path / "out")
    assert report.skipped == {}
    assert report.splits == {
        "train": {"images": 3, "usable": 3, "people": 2, "ordered_pairs": 2},
        "test": {"images": 2, "usable": 2, "people": 1, "ordered_pairs": 2},
    }
    data = PreparedDataset(tmp_path / "out")
    assert (data.source, data.frame) == ("deepfashion", (256, 256))
    assert [record.name for record in data.records] == NAMES
    shirt, dress = "MEN/Shirts_Polos/id_00000018", "WOMEN/Dresses/id_00000002"
    people = [f"{shirt}/01", f"{shirt}/01", f"{shirt}/02", f"{dress}/02", f"{dress}/02"]
    assert [record.person for record in data.records] == people
    assert [record.split for record in data.records] == ["train"] * 3 + ["test"] * 2
    for index, path in enumerate(LISTED):
        assert data.jpeg(index) == (raw / "Img/img" / path).read_bytes()
    np.testing.assert_allclose(data.keypoints, np.stack([pose()] * 5), atol=1e-3)


@pytest.mark.parametrize("listed_in", ["Eval", ".", "beside"])
@pytest.mark.parametrize("pictures", PICTURES)
def test_the_places_where_people_have_it(tmp_path, pictures, listed_in):
    raw = build(
        tmp_path / "raw", pictures, str(Path(pictures).parent) if listed_in == "beside" else listed_in
    )
    prepare_deepfashion(raw, tmp_path / "out")
    assert [record.name for record in PreparedDataset(tmp_path / "out").records] == NAMES


def test_the_small_pictures_go_before_the_large(raw, tmp_path):
    shutil.copytree(raw / "Img/img", raw / "Img/img_highres")
    save(raw / "Img/img_highres" / next(iter(LISTED)), BLACK)
    prepare_deepfashion(raw, tmp_path / "out")
    assert PreparedDataset(tmp_path / "out").image(0).any()


def test_both_spellings_of_names(raw, tmp_path):
    prepare_deepfashion(raw, tmp_path / "out")
    (raw / "fashion-annotation.csv").unlink()
    (raw / "fasion-annotation-train.csv").write_text(format_keypoints_csv([(FASION[0], pose())]))
    (raw / "fasion-annotation-test.csv").write_text(format_keypoints_csv((n, pose()) for n in FASION[1:]))
    prepare_deepfashion(raw, tmp_path / "other")
    assert (tmp_path / "other/records.csv").read_bytes() == (tmp_path / "out/records.csv").read_bytes()
    data = PreparedDataset(tmp_path / "other")
    pairs = tmp_path / "fasion-resize-pairs-test.csv"
    pairs.write_text(f"from,to\n{FASION[1]},{FASION[0]}\n{NAMES[3]},{FASION[4]}\n")
    assert pair_indices(data, read_pairs_csv(pairs)) == [(1, 0), (3, 4)]
    for near in (NAMES[0].replace("_1", "1"), NAMES[0].replace("fashion", "passion"), "MEN/" + NAMES[0]):
        with pytest.raises(Pg2Error, match="has no picture called"):
            data.index_of(near)


def test_keypoints_published_for_the_crop_are_moved_back(raw, tmp_path):
    prepare_deepfashion(raw, tmp_path / "out")
    (raw / "fashion-annotation.csv").unlink()
    cropped = pose() - np.array((40, 0), np.float32)
    resized = raw / "fasion-resize-annotation-train.csv"
    resized.write_text(format_keypoints_csv((name, cropped) for name in FASION))
    prepare_deepfashion(raw, tmp_path / "moved")
    moved, plain = PreparedDataset(tmp_path / "moved"), PreparedDataset(tmp_path / "out")
    np.testing.assert_allclose(moved.keypoints, plain.keypoints, atol=1e-3)


# The borders at the left and the right of the picture, and where the crop must begin.
@pytest.mark.parametrize(
    ("left", "right", "begins"),
    [
        (41, 41, 40),  # as released
        (0, 0, 40),  # none
        (20, 60, 20),
        (60, 20, 60),
        (10, 80, 10),
        (100, 90, 40),  # what is left of a plain background besides
        (20, 20, 40),  # too wide a photograph: its middle
        (0, 40, 20),
    ],
)
@pytest.mark.parametrize("border", [255, 225])
def test_crop(raw, tmp_path, left, right, begins, border):
    path = next(iter(LISTED))
    pixels = photo(left, right, border)
    save(raw / "Img/img" / path, pixels)
    points = pose()
    points[4], points[7] = (begins - 1, 100), (begins + 176, 100)
    points[10], points[13] = (begins, 200), (begins + 175, 200)
    rows = [(NAMES[0], points), *((name, pose()) for name in NAMES[1:])]
    (raw / "fashion-annotation.csv").write_text(format_keypoints_csv(rows))
    prepare_deepfashion(raw, tmp_path / "out", crop=True)
    data = PreparedDataset(tmp_path / "out")
    assert data.frame == (256, 176)
    cropped = data.image(0)
    assert cropped.shape == (256, 176, 3)
    wanted = pixels[:, begins : begins + 176].astype(int)
    assert np.abs(cropped - wanted).mean() < 3
    found = data.records[0].points
    assert np.isnan(found[[4, 7]]).all()
    assert found[[10, 13], 0].tolist() == [0, 175]
    np.testing.assert_allclose(found[:4], points[:4] - np.array((begins, 0)), atol=1e-3)
    assert data.scaled((128, 88)).image(0).shape == (128, 88, 3)


def test_a_picture_of_one_colour_is_cropped_in_the_middle(raw, tmp_path):
    save(raw / "Img/img" / next(iter(LISTED)), BLACK + 250)
    prepare_deepfashion(raw, tmp_path / "out", crop=True)
    points = PreparedDataset(tmp_path / "out").records[0].points
    np.testing.assert_allclose(points, pose() - np.array((40, 0)), atol=1e-3)


@pytest.mark.parametrize("colour", [255, 225])
def test_large_pictures_become_what_the_owners_made_of_them(raw, tmp_path, colour):
    large = np.full((1101, 750, 3), colour, np.uint8)
    large[100:1000, 150:600] = (200, 30, 60)
    shutil.rmtree(raw / "Img/img")
    for path in LISTED:
        save(raw / "Img/img_highres" / path, large)
    prepare_deepfashion(raw, tmp_path / "out")
    data = PreparedDataset(tmp_path / "out")
    framed = data.image(0).astype(int)
    assert framed.shape == (256, 256, 3)
    np.testing.assert_allclose(framed[:, :41], colour, atol=2)
    np.testing.assert_allclose(framed[:, 215:], colour, atol=2)
    # At 256 of 1101 pixels columns 150 and 600 come to 41 + 34.9 and 41 + 139.5, rows to 23.3 and 232.5.
    red = framed[:, :, 1] < 100
    assert red[128].nonzero()[0][[0, -1]].tolist() == [76, 179]
    assert red[:, 128].nonzero()[0][[0, -1]].tolist() == [23, 231]
    np.testing.assert_allclose(data.records[0].points, pose(), atol=1e-3)
    prepare_deepfashion(raw, tmp_path / "cropped", crop=True)
    cropped = PreparedDataset(tmp_path / "cropped").image(0)
    assert np.abs(cropped - framed[:, 40:216]).max() < 30


def test_bad_files_are_counted_named_and_skipped(raw, tmp_path):
    root = raw / "Img/img"
    extra = {
        name: f"WOMEN/Pants/id_00000003/01_{number}_{name}.jpg"
        for number, name in enumerate(
            ("broken", "wide", "small", "no_row", "none_present", "absent"), start=1
        )
    }
    for path in extra.values():
        save(root / path, photo())
    (root / extra["broken"]).write_bytes((root / extra["broken"]).read_bytes()[:3000])
    save(root / extra["wide"], np.zeros((300, 400, 3), np.uint8))
    save(root / extra["small"], np.zeros((200, 100, 3), np.uint8))
    (root / extra["absent"]).unlink()
    save(root / "WOMEN/Pants/id_00000003/02_1_front.jpg", photo())
    save(root / "WOMEN/Pants/front.jpg", photo())
    (root / "MEN/Thumbs.db").write_bytes(b"x")
    (raw / "Eval" / LIST).write_text(listing(LISTED | dict.fromkeys(extra.values(), "train")))
    names = [f"fashionWOMENPantsid0000000301_{n}.jpg" for n in ("1broken", "2wide", "3small", "6absent")]
    nobody = ("fashionWOMENPantsid0000000301_5nonepresent.jpg", np.full((18, 2), np.nan, np.float32))
    rows = [*((name, pose()) for name in (*NAMES, *names)), nobody]
    (raw / "fashion-annotation.csv").write_text(format_keypoints_csv(rows))
    report = prepare_deepfashion(raw, tmp_path / "out")
    assert report.skipped == {
        "in the list, but not there": [extra["absent"]],
        "keypoints without a picture": ["fashionWOMENPantsid0000000301_6absent.jpg"],
        "not named like WOMEN/Dresses/id_00000002/02_1_front.jpg": ["MEN/Thumbs.db", "WOMEN/Pants/front.jpg"],
        "damaged or not a picture": [extra["broken"]],
        "not 256x256 pixels, nor an upright picture of more": [extra["wide"], extra["small"]],
        "no keypoints for it": [extra["no_row"], extra["none_present"]],
        f"not in {LIST}": ["WOMEN/Pants/id_00000003/02_1_front.jpg"],
    }
    assert json.loads((tmp_path / "out/report.json").read_text())["skipped"] == report.skipped
    assert len(PreparedDataset(tmp_path / "out")) == 5


def test_wrong_folders_get_a_hint(raw, tmp_path):
    out = tmp_path / "out"
    for deep in ("Img", "Img/img", "Img/img/WOMEN/Dresses", "Eval"):
        with pytest.raises(Pg2Error, match=f"is not DeepFashion .*give the folder above, {raw}$"):
            prepare_deepfashion(raw / deep, out)
    with pytest.raises(Pg2Error, match=f"give the folder below, {raw}$"):
        prepare_deepfashion(tmp_path, out)
    with pytest.raises(Pg2Error, match=r"there is no folder .*nowhere"):
        prepare_deepfashion(tmp_path / "nowhere", out)
    with pytest.raises(Pg2Error, match="it is a file; unpack it and give the folder"):
        prepare_deepfashion(raw / "fashion-annotation.csv", out)
    shutil.rmtree(raw / "Img/img")
    with pytest.raises(Pg2Error, match=r"missing: Img/img/WOMEN; found: Eval, Img, fashion-annotation\.csv$"):
        prepare_deepfashion(raw, out)
    (raw / "Img/img.zip").write_bytes(b"PK")
    with pytest.raises(
        Pg2Error, match=r"no pictures yet; unpack .*Img/img\.zip where it lies, with the password"
    ):
        prepare_deepfashion(raw, out)
    (raw / "Img/img.zip").unlink()
    shutil.rmtree(raw / "Eval")
    with pytest.raises(Pg2Error, match=f"missing: Img/img/WOMEN and Eval/{LIST}; found: Img, fash"):
        prepare_deepfashion(raw, out)
    save(raw / "Img/img" / next(iter(LISTED)), photo())
    with pytest.raises(Pg2Error, match=f"missing: Eval/{LIST}; found: Img, fash"):
        prepare_deepfashion(raw, out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not the owners' list"),
        ("²\nimage_name item_id evaluation_status\n", "not the owners' list"),
        (f"{'9' * 5000}\nimage_name item_id evaluation_status\n", "not the owners' list"),
        ("image_name item_id evaluation_status\n", "not the owners' list"),
        (listing(LISTED).replace("query", "quarry"), "line 6: expected img/WOMEN.*train, query, gallery"),
        (listing(LISTED).replace(" train", "", 1), "line 3: expected"),
        (listing(LISTED)[:-70], "line 7: expected|lists 4 pictures instead of the 5"),
        (listing(LISTED).replace("5", "52712", 1), "lists 5 pictures instead of the 52,712"),
        ("\udcff", "is not a text file"),
    ],
)
def test_a_list_that_is_not_the_owners(raw, tmp_path, text, said):
    (raw / "Eval" / LIST).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(Pg2Error, match=said):
        prepare_deepfashion(raw, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_keypoint_options(raw, tmp_path):
    table, out = raw / "fashion-annotation.csv", tmp_path / "out"
    with pytest.raises(Pg2Error, match="either auto or"):
        prepare_deepfashion(raw, out, ["auto", table])
    with pytest.raises(Pg2Error, match=r"cannot read nowhere\.csv \(a list of keypoints\)"):
        prepare_deepfashion(raw, out, "nowhere.csv")
    table.write_text(format_keypoints_csv((name, pose() * 4) for name in NAMES))
    with pytest.raises(Pg2Error, match="beyond 256x256 pixels"):
        prepare_deepfashion(raw, out)
    table.write_text(format_keypoints_csv((path, pose()) for path in LISTED))
    with pytest.raises(Pg2Error, match=r"no name in .* would be fashionWOMENDressesid0000000202_1front"):
        prepare_deepfashion(raw, out)
    table.write_text(format_keypoints_csv([]))
    with pytest.raises(Pg2Error, match="holds no keypoints"):
        prepare_deepfashion(raw, out)
    table.unlink()
    with pytest.raises(Pg2Error, match=r"lacks published keypoints, .*--keypoints auto"):
        prepare_deepfashion(raw, out)
    assert not out.exists()


def test_run_again_does_nothing_and_other_inputs_are_refused(raw, tmp_path, contents):
    out = tmp_path / "out"
    first = prepare_deepfashion(raw, out)
    before = contents(out)
    again = prepare_deepfashion(raw, out)
    assert again.already_prepared
    assert again.summary() == "already prepared\n" + first.summary()
    with pytest.raises(Pg2Error, match="other files or options"):
        prepare_deepfashion(raw, out, crop=True)
    with pytest.raises(Pg2Error, match="other files or options"):
        prepare_deepfashion(raw, out, "auto", estimator=FakeEstimator())
    (raw / "Eval" / LIST).write_text(listing(dict.fromkeys(LISTED, "train")))
    with pytest.raises(Pg2Error, match="other files or options"):
        prepare_deepfashion(raw, out)
    assert contents(out) == before


def test_automatic_keypoints_resume_where_they_stopped(raw, tmp_path):
    save(raw / "Img/img" / list(LISTED)[2], BLACK)
    with pytest.raises(KeyboardInterrupt):
        prepare_deepfashion(raw, tmp_path / "out", "auto", crop=True, estimator=FakeEstimator(break_after=2))
    estimator = FakeEstimator()
    report = prepare_deepfashion(raw, tmp_path / "out", "auto", crop=True, estimator=estimator)
    assert estimator.calls == 3
    assert report.skipped == {"no person found": [list(LISTED)[2]]}
    data = PreparedDataset(tmp_path / "out")
    assert data.manifest["keypoints"] == "estimated by pg2"
    np.testing.assert_allclose(data.records[0].points, standing(256, 256) - np.array((40, 0)), atol=1e-3)


needs_real = needs(DEEPFASHION)


@needs_real
def test_counts_on_the_real_data(tmp_path):
    report = prepare_deepfashion(DEEPFASHION, tmp_path / "out")
    assert report.splits == {
        "train": {"images": 176, "usable": 176, "people": 83, "ordered_pairs": 210},
        "test": {"images": 63, "usable": 63, "people": 30, "ordered_pairs": 72},
    }
    assert report.skipped == {}
    data = PreparedDataset(tmp_path / "out")
    published = read_keypoints_csv(DEEPFASHION / "fashion-annotation.csv")
    assert all(np.array_equal(r.points, published[r.name], equal_nan=True) for r in data.records)
    usable = data.usable("test")
    pairs = Pairs([data.records[index].person for index in usable], usable)
    assert len(pairs) == 72
    # Two views of one item in one colour: names alike up to the view.
    shown = [(data.records[a].name, data.records[b].name) for a, b in map(pairs.__getitem__, range(72))]
    assert all(a != b and a.rsplit("_", 1)[0] == b.rsplit("_", 1)[0] for a, b in shown)


@needs_real
def test_the_crop_of_the_real_data_loses_nothing_but_border(tmp_path):
    prepare_deepfashion(DEEPFASHION, tmp_path / "whole")
    prepare_deepfashion(DEEPFASHION, tmp_path / "cropped", crop=True)
    whole, cropped = PreparedDataset(tmp_path / "whole"), PreparedDataset(tmp_path / "cropped")
    np.testing.assert_array_equal(cropped.keypoints, whole.keypoints - np.array((40, 0), np.float32))
    for index in range(0, len(whole), 20):
        sides = np.delete(whole.image(index).astype(int), np.s_[40:216], axis=1)
        assert (sides.max((0, 1)) - sides.min((0, 1))).max() <= 20
        assert np.abs(cropped.image(index) - whole.image(index)[:, 40:216].astype(int)).mean() < 2
