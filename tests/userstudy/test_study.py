"""A study is drawn from two folders all or nothing, and nothing in its pictures tells what they are."""

import errno
import json
import shutil
import warnings
from pathlib import Path

import pytest
from PIL import Image
from study_samples import GENERATED, REAL, fill, grey_of

from pg2.errors import Pg2Error
from pg2.io.outputs import exclusive
from pg2.userstudy.study import Study, make_study

Folders = tuple[Path, Path]


def names(study: Study) -> list[tuple[str, str]]:
    return sorted((picture.kind, picture.name) for picture in study.pictures)


def test_a_study_holds_as_many_of_both_kinds_and_knows_which_is_which(
    folders: Folders, tmp_path: Path
) -> None:
    made = make_study(*folders, tmp_path / "deep" / "study", count=4, practice=3, seconds=0.5, seed=7)
    study = Study.load(tmp_path / "deep" / "study")
    assert study == made
    assert (study.size, study.practice, study.seconds, study.seed) == ((32, 16), 3, 0.5, 7)
    assert [kind for kind, _ in names(study)] == ["generated"] * 4 + ["real"] * 4
    for picture in study.pictures:
        first = {"generated": GENERATED, "real": REAL}[picture.kind]
        assert grey_of(study.file(picture.id)) == first + int(picture.name.removesuffix(".png"))
    files = {file.name for file in (study.folder / "pictures").iterdir()}
    assert files == {f"{picture.id}.png" for picture in study.pictures}
    assert [path.name for path in study.folder.parent.iterdir()] == ["study"]


def test_the_draw_depends_on_the_seed_alone(folders: Folders, tmp_path: Path) -> None:
    one, same, other = (
        make_study(*folders, tmp_path / str(number), count=4, practice=0, seed=seed)
        for number, seed in enumerate((0, 0, 1))
    )
    assert names(one) == names(same)
    assert names(one) != names(other)
    # The ids are no one's to guess, not even knowing the seed.
    assert not {picture.id for picture in one.pictures} & {picture.id for picture in same.pictures}


def test_pictures_carry_nothing_but_pixels(folders: Folders, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[270] = "made by a generator"
    for file in folders[0].iterdir():
        with Image.open(file) as opened:
            opened.save(file.with_suffix(".jpg"), exif=exif, icc_profile=b"a profile")
        file.unlink()
    study = make_study(*folders, tmp_path / "study", count=5, practice=0)
    for picture in study.pictures:
        chunks = study.file(picture.id).read_bytes()
        assert chunks.startswith(b"\x89PNG")
        assert not [name for name in (b"eXIf", b"iCCP", b"tEXt", b"tIME") if name in chunks]
    assert [picture.id for picture in study.pictures] == sorted(picture.id for picture in study.pictures)


def test_folders_below_and_other_formats_are_searched(tmp_path: Path) -> None:
    for suffix in ("jpg", "webp", "bmp"):
        fill(tmp_path / "real" / suffix, 1, REAL, suffix=suffix)
        fill(tmp_path / "real" / ".hidden", 5, REAL)
    (tmp_path / "real" / "notes.txt").write_text("no picture")
    study = make_study(
        fill(tmp_path / "made", 3, GENERATED), tmp_path / "real", tmp_path / "out", count=3, practice=0
    )
    found = [picture.name for picture in study.pictures if picture.kind == "real"]
    assert sorted(found) == ["bmp/00.bmp", "jpg/00.jpg", "webp/00.webp"]


def test_a_picture_that_is_there_twice_is_drawn_once(folders: Folders, tmp_path: Path) -> None:
    """`pg2 evaluate --store` keeps the target of several pairs several times."""
    for file in list(folders[1].iterdir()):
        shutil.copy(file, folders[1] / f"again_{file.name}")
    study = make_study(*folders, tmp_path / "study", count=10, practice=0)
    shown = [study.file(picture.id).read_bytes() for picture in study.pictures if picture.kind == "real"]
    assert len(set(shown)) == 10
    refused(folders, tmp_path / "more", "10 different real pictures are too few", count=11)


def test_a_name_of_any_bytes_is_written_down(tmp_path: Path) -> None:
    real = fill(tmp_path / "real", 1, REAL)
    try:
        (real / "00.png").rename(real / "caf\udce9.png")
    except OSError:
        pytest.skip("this file system takes no names that are not UTF-8")
    study = make_study(fill(tmp_path / "made", 1, GENERATED), real, tmp_path / "out", count=1, practice=0)
    assert "caf�.png" in [picture.name for picture in Study.load(study.folder).pictures]


def test_every_participant_has_an_order_of_their_own(study: Study) -> None:
    orders = [study.order(participant) for participant in range(6)]
    assert all(sorted(order) == [picture.id for picture in study.pictures] for order in orders)
    assert len({tuple(order) for order in orders}) > 3
    assert study.order(3) == orders[3]


def refused(folders: Folders, out: Path, said: str, **settings: float) -> None:
    before = sorted(out.parent.iterdir())
    with pytest.raises(Pg2Error, match=said):
        make_study(*folders, out, **{"count": 3, "practice": 0, **settings})  # type: ignore[arg-type]
    assert sorted(out.parent.iterdir()) == before, "nothing half-written"


def test_wrong_settings_are_refused(folders: Folders, tmp_path: Path) -> None:
    out = tmp_path / "out"
    refused(folders, out, "10 different real pictures are too few for a study with 11", count=11)
    refused(folders, out, "under the count of 3, not 3", practice=3)
    refused(folders, out, "not -1", practice=-1)
    refused(folders, out, "up to 60 seconds, not 0", seconds=0)
    refused(folders, out, "not nan", seconds=float("nan"))
    refused((folders[0], tmp_path / "nowhere"), out, "nowhere is not there; give a folder of real pictures")
    refused((folders[0] / "00.png", folders[1]), out, "is a file; give a folder of generated")
    refused((folders[0], folders[0]), out, "must be apart")
    refused((tmp_path, folders[1]), out, "must be apart")


def test_a_place_that_is_taken_is_refused(folders: Folders, study: Study) -> None:
    before = (study.folder / "study.json").read_bytes()
    refused(folders, study.folder, "is there already")
    assert (study.folder / "study.json").read_bytes() == before


def test_the_same_again_leaves_the_study_as_it_is(folders: Folders, tmp_path: Path) -> None:
    """People may have answered already."""
    out = tmp_path / "out"
    out.mkdir()
    made = make_study(*folders, out, count=3, practice=0)
    (out / "answers.sqlite").write_text("precious")
    assert make_study(*folders, out, count=3, practice=0) == made
    assert (out / "answers.sqlite").read_text() == "precious"
    for settings in ({"seed": 1}, {"seconds": 2.0}, {"practice": 1}, {"count": 4}):
        refused(folders, out, "is there already and is another user study", **settings)
    next(iter((out / "pictures").iterdir())).unlink()
    refused(folders, out, "lacks the picture")
    with exclusive(out), pytest.raises(Pg2Error, match="another command is at work on"):
        make_study(*folders, out, count=3, practice=0)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "text").write_text("mine")
    refused(folders, tmp_path / "thesis", "is there already and is no user study")


def test_pictures_of_several_sizes_are_refused(folders: Folders, tmp_path: Path) -> None:
    fill(folders[0], 10, GENERATED, size=(16, 33))
    refused(
        folders,
        tmp_path / "out",
        "33x16 pixels, others are 32x16: another size would give the answer away",
    )


def test_a_damaged_picture_is_refused_by_name(folders: Folders, tmp_path: Path) -> None:
    for file in folders[1].iterdir():
        file.write_bytes(file.read_bytes()[:60])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        refused(folders, tmp_path / "out", r"real/\d\d\.png is damaged")


def test_a_full_disk_leaves_nothing(
    folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    refused(folders, tmp_path / "out", "no space left")


def test_a_folder_that_is_no_study_is_refused(study: Study, tmp_path: Path) -> None:
    with pytest.raises(Pg2Error, match="holds no user study"):
        Study.load(tmp_path)
    path = study.folder / "study.json"
    written = json.loads(path.read_text())
    for change in ({"format": 2}, {"practice": 3}, {"seed": "x"}, {"pictures": written["pictures"][1:]}):
        path.write_text(json.dumps({**written, **change}))
        with pytest.raises(Pg2Error, match=r"study\.json was not written by this version"):
            Study.load(study.folder)
    path.write_text("[]")
    with pytest.raises(Pg2Error, match=r"study\.json was not written by this version"):
        Study.load(study.folder)
    path.write_text(json.dumps(written))
    study.file(study.pictures[0].id).unlink()
    with pytest.raises(Pg2Error, match="lacks the picture"):
        Study.load(study.folder)


def test_files_are_never_read_whole_to_tell_them_apart(
    folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them may be a film of many gigabytes."""
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} is read whole"))
    make_study(*folders, tmp_path / "study", count=3, practice=1)
