import os
from pathlib import Path

import numpy as np
import pytest
from data_samples import FakeEstimator, save_noise, standing
from PIL import Image
from real_data import RENDERED, needs

from pg2.data.prepared import PreparedDataset
from pg2.data.sources.folder import prepare_folder
from pg2.errors import Pg2Error
from pg2.io.pictures import load_image
from pg2.pose.formats import format_keypoints_csv, read_keypoints_csv
from pg2.pose.framing import Framing
from pg2.pose.keypoints import Pose


def test_photos_and_poses_are_cut_to_the_frame_together(photos, tmp_path):
    report = prepare_folder(photos, tmp_path / "out", (96, 48), estimator=FakeEstimator())
    assert report.skipped == {}
    assert report.splits["train"] == {"images": 6, "usable": 6, "people": 3, "ordered_pairs": 6}
    data = PreparedDataset(tmp_path / "out")
    assert data.source == "folder"
    assert data.frame == (96, 48)
    assert [record.name for record in data.records][:2] == ["ann/1.png", "ann/2.jpg"]
    for index, record in enumerate(data.records):
        photo = load_image(photos / record.name)
        pose = FakeEstimator()(photo)
        framing = Framing.around(pose, pose.size, (96, 48))
        np.testing.assert_allclose(record.points, framing.pose(pose).points, atol=6e-4)
        assert data.image(index).shape == (96, 48, 3)
        # Noise is the hardest case for JPEG; a wrong cut would be off by 60 and more.
        assert np.abs(data.image(index).astype(int) - framing.image(photo)).mean() < 4


def test_bad_photos_are_counted_named_and_skipped(photos, tmp_path):
    Image.new("RGB", (80, 160)).save(photos / "ann" / "empty-street.jpg")
    whole = (photos / "bob" / "1.jpg").read_bytes()
    (photos / "bob" / "broken.jpg").write_bytes(whole[: len(whole) // 2])
    save_noise(photos / "bob" / "dot.png", size=(8, 8))
    save_noise(photos / "bob" / "holiday" / "1.jpg")
    save_noise(photos / "loose.jpg")
    (photos / "cy" / "notes.txt").write_text("x")
    (photos / ".DS_Store").write_text("x")
    Path(os.fsdecode(os.fsencode(photos) + b"/cy/\xff.jpg")).write_bytes(whole)
    report = prepare_folder(photos, tmp_path / "out", estimator=FakeEstimator())
    assert report.skipped == {
        "not in the folder of a person": ["loose.jpg"],
        "a folder inside the folder of a person": ["bob/holiday"],
        "not a picture by its file name": ["cy/notes.txt"],
        "a file name that is not valid text": ["cy/\\udcff.jpg"],
        "no person found": ["ann/empty-street.jpg"],
        "damaged, not a picture, or of an unusable size (under 16 pixels, or huge)": [
            "bob/broken.jpg",
            "bob/dot.png",
        ],
    }
    assert report.splits["train"]["images"] == 6


def test_photos_without_folders_of_people(tmp_path):
    save_noise(tmp_path / "raw" / "1.jpg")
    save_noise(tmp_path / "raw" / "2.jpg")
    with pytest.raises(Pg2Error, match=r"2 photos outside such folders; expected a folder for each person"):
        prepare_folder(tmp_path / "raw", tmp_path / "out", estimator=FakeEstimator())
    with pytest.raises(Pg2Error, match="not there; expected a folder for each person"):
        prepare_folder(tmp_path / "nowhere", tmp_path / "out", estimator=FakeEstimator())
    with pytest.raises(Pg2Error, match="a file; expected a folder for each person"):
        prepare_folder(tmp_path / "raw" / "1.jpg", tmp_path / "out", estimator=FakeEstimator())
    assert not (tmp_path / "out").exists()


def test_what_is_no_photo_that_can_be_read_is_named(photos, tmp_path):
    (photos / "ann/IMG_3.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + bytes(50))
    # Pillow alone would hand it to Ghostscript.
    (photos / "ann/4.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\n")
    skipped = prepare_folder(photos, tmp_path / "out", estimator=FakeEstimator()).skipped
    reasons = {name: reason for reason, names in skipped.items() for name in names}
    assert "HEIC" in reasons["ann/IMG_3.HEIC"]
    assert "convert it to JPEG" in reasons["ann/IMG_3.HEIC"]
    assert "not a picture" in reasons["ann/4.jpg"]


def test_photos_that_are_all_heic(tmp_path):
    (tmp_path / "raw/ann").mkdir(parents=True)
    (tmp_path / "raw/ann/1.heic").write_bytes(bytes(50))
    with pytest.raises(Pg2Error, match=r"HEIC or AVIF photos only.*convert it to JPEG"):
        prepare_folder(tmp_path / "raw", tmp_path / "out", estimator=FakeEstimator())


def test_known_keypoints_are_taken_instead_of_estimated(photos, tmp_path):
    """As `pg2 render` leaves them: beside the people's folders, with other files of its own."""
    names = ["ann/1.png", "ann/2.jpg", "bob/1.jpg", "cy/a.jpg"]
    sizes = {name: load_image(photos / name).shape[:2] for name in names}
    (photos / "keypoints.csv").write_text(
        format_keypoints_csv((name, standing(*sizes[name]) + 1) for name in names)
    )
    (photos / "people.json").write_text("[]")
    (photos / "ann/2.geometry.npz").write_bytes(b"")
    estimator = FakeEstimator(break_after=0)
    frame = sizes["ann/2.jpg"]
    report = prepare_folder(photos, tmp_path / "out", frame, estimator=estimator)
    assert report.skipped == {"no keypoints for it": ["bob/2.bmp", "cy/b.webp"]}
    data = PreparedDataset(tmp_path / "out")
    assert data.manifest["keypoints"] == "keypoints.csv"
    # A picture of the frame's size stays as it is, byte for byte; others are cut.
    same = data.index_of("ann/2.jpg")
    assert data.jpeg(same) == (photos / "ann/2.jpg").read_bytes()
    np.testing.assert_array_equal(data.keypoints[same], standing(*frame) + 1)
    assert data.image(data.index_of("ann/1.png")).shape == (*frame, 3)

    (photos / "keypoints.csv").write_text(format_keypoints_csv([("ann/1.png", standing(9, 9))]))
    with pytest.raises(Pg2Error, match="other files or options"):
        prepare_folder(photos, tmp_path / "out", frame, estimator=estimator)
    report = prepare_folder(photos, tmp_path / "auto", frame, "auto", estimator=FakeEstimator())
    assert report.splits["train"]["images"] == 6
    with pytest.raises(Pg2Error, match=r"cannot read .*keypoints"):
        prepare_folder(photos, tmp_path / "none", frame, photos / "missing.csv")


def test_rendered_people_keep_their_size(photos, tmp_path):
    (photos / "render.json").write_text('{"options": {"size": "96x80"}}')
    prepare_folder(photos, tmp_path / "out", estimator=FakeEstimator())
    assert PreparedDataset(tmp_path / "out").frame == (96, 80)
    for text in (
        "{}",
        '{"options": {"size": "96"}}',
        "[1]",
        '{"options": {"size": "999999999x999999999"}}',
        '{"options": {"size": "96x-1"}}',
    ):
        (photos / "render.json").write_text(text)
        with pytest.raises(Pg2Error, match=r"render\.json was not written by `pg2 render`; give --size"):
            prepare_folder(photos, tmp_path / "other", estimator=FakeEstimator())


def test_a_picture_that_is_turned_by_its_camera_is_stored_upright(photos, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3
    with Image.open(photos / "ann/2.jpg") as picture:
        picture.save(photos / "ann/2.jpg", exif=exif)
    frame = load_image(photos / "ann/2.jpg").shape[:2]
    prepare_folder(photos, tmp_path / "out", frame, estimator=FakeEstimator())
    data = PreparedDataset(tmp_path / "out")
    stored = data.image(data.index_of("ann/2.jpg")).astype(int)
    assert np.abs(stored - load_image(photos / "ann/2.jpg")).mean() < 8
    assert np.abs(stored[::-1, ::-1] - load_image(photos / "ann/2.jpg")).mean() > 30


@pytest.mark.parametrize(
    "settings", [{"test_share": 1.5}, {"test_share": -1.0}, {"frame": (128, 4)}, {"frame": (5000, 64)}]
)
def test_settings_out_of_range(photos, tmp_path, settings):
    with pytest.raises(Pg2Error, match=r"between 0 and 1|a side has 16 to 4096 pixels"):
        prepare_folder(photos, tmp_path / "out", estimator=FakeEstimator(), **settings)


def test_one_photo_a_person_makes_no_pair(tmp_path):
    save_noise(tmp_path / "raw" / "ann" / "1.jpg")
    save_noise(tmp_path / "raw" / "bob" / "1.jpg")
    with pytest.raises(Pg2Error, match="no person has two pictures"):
        prepare_folder(tmp_path / "raw", tmp_path / "out", estimator=FakeEstimator())
    assert not (tmp_path / "out").exists()


def test_the_split_is_by_person_and_stays_when_people_are_added(tmp_path):
    def splits(people: int, out: str) -> dict[str, str]:
        for person in range(people):
            for photo in (1, 2):
                save_noise(tmp_path / "raw" / f"p{person:02}" / f"{photo}.jpg", size=(64, 32), seed=photo)
        prepare_folder(tmp_path / "raw", tmp_path / out, (64, 32), test_share=0.4, estimator=FakeEstimator())
        records = PreparedDataset(tmp_path / out).records
        assert len({(record.person, record.split) for record in records}) == people
        return {record.person: record.split for record in records}

    few, many = splits(10, "few"), splits(30, "many")
    assert few.items() <= many.items()
    assert 5 <= sum(split == "test" for split in many.values()) <= 20


def test_a_killed_preparation_resumes_even_with_another_frame(photos, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        prepare_folder(photos, tmp_path / "out", estimator=FakeEstimator(break_after=4))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["out.partial", "photos"]
    estimator = FakeEstimator()
    prepare_folder(photos, tmp_path / "out", (96, 48), estimator=estimator)
    assert estimator.calls == 2
    assert sorted(file.name for file in tmp_path.iterdir()) == ["out", "photos"]
    assert prepare_folder(photos, tmp_path / "out", (96, 48), estimator=estimator).already_prepared
    with pytest.raises(Pg2Error, match="other files or options"):
        prepare_folder(photos, tmp_path / "out", (64, 32), estimator=estimator)


@needs(RENDERED)
def test_the_shipped_estimator_on_rendered_people(tmp_path):
    truth = read_keypoints_csv(RENDERED / "keypoints.csv")
    chosen = [name for name, points in truth.items() if Pose(points).has_torso][:6]
    for name in chosen:
        place = tmp_path / "raw" / name.split("_")[0]
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes((RENDERED / "images" / name).read_bytes())
    prepare_folder(tmp_path / "raw", tmp_path / "out", (256, 256))
    data = PreparedDataset(tmp_path / "out")
    assert len(data) == 6
    errors = [data.keypoints[i] - truth[record.name.split("/")[1]] for i, record in enumerate(data.records)]
    assert np.nanmedian(np.abs(errors)) < 6


def test_a_share_that_takes_nobody_is_said_at_once(photos, tmp_path):
    """Of ann (.29), bob (.51) and cy (.24)."""
    with pytest.warns(UserWarning, match=r"none of these 3 people, so there are 0 test pictures; .* 0\.24"):
        report = prepare_folder(photos, tmp_path / "none", test_share=0.1, estimator=FakeEstimator())
    assert report.splits["test"]["images"] == 0
    with pytest.warns(UserWarning, match="takes none of these 3 people"):
        assert prepare_folder(photos, tmp_path / "none", test_share=0.1).already_prepared
    report = prepare_folder(photos, tmp_path / "one", test_share=0.24, estimator=FakeEstimator())
    assert report.splits["test"]["people"] == 1
    with pytest.warns(UserWarning, match="takes all of these 3 people, so there are 0 training pictures"):
        prepare_folder(photos, tmp_path / "all", test_share=0.6, estimator=FakeEstimator())
    prepare_folder(photos, tmp_path / "test", test_share=1, estimator=FakeEstimator())


def test_hidden_folders_are_not_looked_into(photos, tmp_path):
    closed = photos / ".Trash"
    closed.mkdir()
    save_noise(closed / "1.jpg")
    before = prepare_folder(photos, tmp_path / "out", estimator=FakeEstimator())
    assert before.skipped == {}
    assert not any(record.person.startswith(".") for record in PreparedDataset(tmp_path / "out").records)
