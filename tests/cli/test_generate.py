"""Poses and pictures by command: one, a grid, many views; several people, animations, a full disk."""

import json
import re
from pathlib import Path

import fsspec
import numpy as np
import pytest
from cli_samples import PHOTO, assert_refused, size_of
from PIL import Image

from pg2 import PG2, ModelConfig, Pipeline
from pg2.io.outputs import exclusive
from pg2.io.packaged import SAMPLES
from pg2.models.config import CoarseConfig, TransportConfig
from pg2.pose.keypoints import Pose


def test_poses_of_photos(pg2, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ran = pg2("pose", PHOTO, SAMPLES / "00005/00.jpg", "--out", tmp_path / "poses")
    assert ran.code == 0, ran.err
    files = sorted(file.name for file in (tmp_path / "poses").iterdir())
    assert len(files) == 4
    assert sum(name.endswith("_overlay.png") for name in files) == 2
    for name in files:
        if name.endswith(".json"):
            pose = Pose.load(tmp_path / "poses" / name)
            assert pose.has_torso
            assert pose.size == (256, 256)


def test_it_says_how_many_people_it_saw(pg2, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    both = Image.new("RGB", (512, 256))
    for number, person in enumerate(("00003", "00009")):
        with Image.open(SAMPLES / person / "00.jpg") as opened:
            both.paste(opened, (256 * number, 0))
    both.save(tmp_path / "both.png")
    ran = pg2("pose", PHOTO, tmp_path / "both.png", "--out", tmp_path / "poses")
    assert ran.code == 0, ran.err
    one, two = ran.out.splitlines()
    assert one.endswith("00_overlay.png (1 person)")
    assert two.endswith("both_overlay.png (2 people, --person 0 to 1)")


def test_the_named_poses_as_a_picture(pg2, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ran = pg2("pose", "--list", "--out", tmp_path)
    assert ran.code == 0
    assert "hands-on-hips" in ran.out
    assert size_of(tmp_path / "named.png")[0] > 400


def test_views_of_a_person(pg2, model: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ran = pg2("views", model, PHOTO, "--out", tmp_path / "views.png")
    assert ran.code == 0, ran.err
    one = pg2("generate", PHOTO, "--pose", "front", "--pose", "left", "--pose", "back", "--pose", "right",
              "--model", model, "--out", tmp_path / "grid.png")  # fmt: skip
    assert one.code == 0, one.err
    assert (tmp_path / "views.png").read_bytes() == (tmp_path / "grid.png").read_bytes()


@pytest.mark.parametrize("command", ["generate", "views"])
def test_a_device_that_is_not_here_is_refused(pg2, model: Path, tmp_path: Path, command: str) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "a.png"
    given = [PHOTO, "--pose", "front", "--model", model] if command == "generate" else [model, PHOTO]
    assert_refused(
        pg2(command, *given, "--out", out, "--device", "tpu"), 'there is no device "tpu" here; give auto, cpu'
    )
    assert not out.exists()


@pytest.mark.filterwarnings("default")
def test_devices_and_precisions(pg2, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    """On a processor without bf16 a word says so, and the picture is that of fp32."""
    monkeypatch.setattr("pg2.io.devices.runs_bf16", lambda _: False)
    for name, options, said in (
        ("plain", ["--device", "cpu"], ""),
        ("fp32", ["--device", "cpu", "--precision", "fp32"], ""),
        ("bf16", ["--device", "cpu", "--precision", "bf16"], "has no bf16; the model computes in fp32"),
    ):
        ran = pg2("views", model, PHOTO, "--out", tmp_path / f"{name}.png", *options)
        assert ran.code == 0, ran.err
        assert said in ran.err
        assert ran.err.splitlines()[bool(said) :] == ["pg2: 1 of 4 poses show what their photo does not"]
    assert len({file.read_bytes() for file in tmp_path.iterdir()}) == 1
    assert pg2("views", model, PHOTO, "--precision", "fp16").code == 2


def test_poses_that_are_no_poses(pg2, model: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "pose.json"
    person = {"pose_keypoints_2d": [1.0] * 54}
    for text, said in (
        ("", "not valid JSON"),
        ("{}", "not an OpenPose document"),
        ('{"people": []}', "no person"),
        (json.dumps({"people": [{"pose_keypoints_2d": [1.0] * 51}]}), "51 values"),
        (json.dumps({"people": [person]}).replace("1.0", "NaN", 1), "finite"),
    ):
        file.write_text(text)
        assert_refused(
            pg2("generate", PHOTO, "--pose", file, "--model", model, "--out", tmp_path / "a.png"), said
        )
    assert [path.name for path in tmp_path.iterdir()] == ["pose.json"]


def test_two_people(pg2, model: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Side by side: the larger one is taken, the other can be asked for, a third is refused."""
    pictures = [Image.open(SAMPLES / name / "00.jpg") for name in ("00003", "00013")]
    both = Image.new("RGB", (460, 256), pictures[0].getpixel((2, 2)))
    both.paste(pictures[0], (0, 0))
    both.paste(pictures[1].resize((200, 200)), (256, 50))
    photo = tmp_path / "both.png"
    both.save(photo)
    results = []
    for number in (None, 0, 1):
        option = [] if number is None else ["--person", number]
        ran = pg2(
            "generate", photo, "--pose", "front", "--model", model, "--out", tmp_path / "a.png", *option
        )
        assert ran.code == 0, ran.err
        with Image.open(tmp_path / "a.png") as made:
            results.append(np.asarray(made).astype(int))
    assert (results[0] == results[1]).all()
    assert (results[0] != results[2]).any()
    ran = pg2(
        "generate", photo, "--pose", "front", "--model", model, "--out", tmp_path / "b.png", "--person", 5
    )
    assert_refused(ran, "both.png")
    assert not (tmp_path / "b.png").exists()


@pytest.mark.filterwarnings("default")
def test_an_animation_warns_in_one_line(pg2, model: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    frames = [Image.open(SAMPLES / "00003" / name) for name in ("00.jpg", "01.jpg")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    ran = pg2(
        "generate", tmp_path / "a.gif", "--pose", "front", "--model", model, "--out", tmp_path / "a.png"
    )
    assert ran.code == 0, ran.err
    assert "a.gif is animated; its first frame is used" in ran.err
    assert len(ran.err.strip().splitlines()) == 1


def test_a_revision_is_asked_of_the_hub(
    pg2, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    asked: list[object] = []

    def download(name: str, *, revision: str | None, **_: object) -> str:
        asked.append((name, revision))
        return str(model)

    monkeypatch.setattr("pg2.models.pg2.HfApi.model_info", lambda *_, **__: None)
    monkeypatch.setattr("pg2.models.pg2.snapshot_download", download)
    out = tmp_path / "made.png"
    arguments = ("--pose", "front", "--model", "somebody/model", "--revision", "v2", "--out", out)
    assert pg2("generate", PHOTO, *arguments).code == 0
    assert asked == [("somebody/model", "v2")]
    refused = pg2("generate", PHOTO, "--pose", "front", "--model", model, "--revision", "v2", "--out", out)
    assert_refused(refused, "only models of the hub have revisions")


def test_a_full_disk_while_saving(pg2, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    ran = pg2("generate", PHOTO, "--pose", "front", "--model", model, "--out", tmp_path / "a.png")
    assert_refused(ran, "no space left on device")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    """Four photos, of which one is damaged and one shows nobody."""
    (tmp_path / "photos").mkdir()
    broken, empty = tmp_path / "photos/broken.jpg", tmp_path / "photos/empty.png"
    broken.write_bytes(Path(PHOTO).read_bytes()[:500])
    Image.new("RGB", (100, 100)).save(empty)
    return [str(broken), PHOTO, str(empty), str(SAMPLES / "00005/00.jpg")]


@pytest.mark.parametrize("command", ["generate", "views"])
def test_a_bad_photo_does_not_lose_the_others(
    pg2, model: Path, tmp_path: Path, photos: list[str], command: str
) -> None:  # type: ignore[no-untyped-def]
    def run(photos: list[str], name: str, *options: str):  # type: ignore[no-untyped-def]
        place = [*options, "--out", tmp_path / name]
        if command == "views":
            return pg2("views", model, *photos, *place)
        return pg2("generate", *photos, "--pose", "front", "--pose", "back", "--model", model, *place)

    ran = run(photos, "some.png")
    assert ran.code == 1
    said = ran.err.splitlines()
    assert len(said) == 4
    assert said[0].startswith(f"pg2: left out: {photos[0]} is damaged")
    assert said[1].startswith(f"pg2: left out: {photos[2]}: ")
    assert said[2].endswith("poses show what their photo does not")
    assert said[3] == "pg2: 2 of 4 photos left out"
    assert run([photos[1], photos[3]], "good.png").code == 0
    assert (tmp_path / "some.png").read_bytes() == (tmp_path / "good.png").read_bytes()

    strict = run([photos[1], photos[2]], "strict.png", "--strict")
    assert_refused(strict, "empty.png")
    ran = run([photos[0], photos[2]], "none.png")
    assert ran.code == 2
    assert ran.err.splitlines()[-1] == "pg2: none of the 2 photos could be used, so nothing is written"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["good.png", "photos", "some.png"]


def test_an_output_is_neither_an_input_nor_in_work_elsewhere(pg2, model: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(Path(PHOTO).read_bytes())
    for given in (["generate", photo, "--pose", "front", "--model", model], ["views", model, photo]):
        assert_refused(pg2(*given, "--out", tmp_path / "." / "photo.jpg"), "one of the given files")
        with exclusive(tmp_path / "a.png"):
            assert_refused(pg2(*given, "--out", tmp_path / "a.png"), "another command is at work on")
    posed = ["generate", PHOTO, "--pose", photo, "--model", model, "--out", photo]
    assert_refused(pg2(*posed), "one of the given files")
    assert photo.read_bytes() == Path(PHOTO).read_bytes()


def test_a_folder_gives_a_file_a_photo_and_pose(pg2, model: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder, out = tmp_path / "photos", tmp_path / "out"
    (folder / "ann").mkdir(parents=True)
    (folder / "ann/1.jpg").write_bytes(Path(PHOTO).read_bytes())
    (folder / "broken.jpg").write_bytes(Path(PHOTO).read_bytes()[:500])
    command = ["generate", folder, "--poses", "front,back", "--model", model, "--out", out]
    ran = pg2(*command)
    assert ran.code == 1
    assert ran.err.splitlines()[0].startswith(f"pg2: left out: {folder / 'broken.jpg'} is damaged")
    assert ran.err.splitlines()[1:] == [
        "pg2: 1 of 2 poses show what their photo does not",
        "pg2: 1 of 2 photos left out",
    ]
    assert ran.out.strip() == f"{out / 'manifest.jsonl'}: 2 pictures made, 0 were there already"
    one = pg2("generate", PHOTO, "--pose", "front", "--model", model, "--out", tmp_path / "one.png")
    assert one.code == 0
    assert one.err == ""
    with Image.open(out / "ann/1_person0_front.png") as made, Image.open(tmp_path / "one.png") as alone:
        assert np.abs(np.asarray(made).astype(int) - np.asarray(alone)).max() <= 1
    again = pg2(*command)
    assert again.code == 1
    assert "0 pictures made, 2 were there already" in again.out
    assert_refused(pg2(*command, "--strict"), "broken.jpg is damaged")


def test_what_goes_together_and_what_does_not(pg2, model: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "out"
    for arguments, said in (
        ([PHOTO], "say with --pose which pose"),
        ([PHOTO, "--pose", "front", "--poses", "front", "--out", out], "give one of the two"),
        ([PHOTO, "--poses", "front"], "--out FOLDER"),
        ([PHOTO, "--poses", "front", "--out", tmp_path / "a.png"], "--out FOLDER"),
        ([PHOTO, "--pose", "front", "--everybody"], "--poses"),
        ([tmp_path, "--pose", "front"], "is a folder; with --poses"),
        ([tmp_path, "--poses", "front", "--out", out], "lies in"),
        ([PHOTO, "--poses", "frnot", "--out", out], "did you mean front"),
        ([PHOTO, "--poses", "random:0", "--out", out], "a number from 1 to 144"),
        ([PHOTO, "--poses", "front", "--out", out, "--person", 0, "--everybody"], "give one of them"),
    ):
        assert_refused(pg2("generate", *arguments, "--model", model), said)
    assert not list(tmp_path.iterdir())


def test_one_picture_says_what_its_photo_does_not_show(pg2, model: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ran = pg2("generate", PHOTO, "--pose", "back", "--model", model, "--out", tmp_path / "a.png")
    assert ran.code == 0
    assert ran.err == "pg2: the photo shows the person from the front, the pose from behind\n"


def test_a_pose_where_the_person_stands(pg2, model: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Of half a person the result shows half."""
    half = tmp_path / "half" / "half.png"
    half.parent.mkdir()
    with Image.open(PHOTO) as photo:
        photo.crop((48, 0, 208, 160)).save(half)
    line = ("generate", half, "--model", model, "--out", tmp_path / "one.png", "--pose")
    for pose, option, said in (
        (PHOTO, (), "the photo shows no legs; --in-place keeps half a person half"),
        ("walking", ("--no-in-place",), "the photo shows no legs; --in-place keeps half a person half"),
        ("walking", (), "the photo shows no legs, and so does the result (--no-in-place shows them)"),
        ("walking", ("--in-place",), ""),
    ):
        ran = pg2(*line, pose, *option)
        assert ran.code == 0, ran.err
        assert said in ran.err
        assert ("legs" in ran.err) == bool(said)
    views = pg2("views", model, half, PHOTO, "--out", tmp_path / "views.png")
    assert "pg2: 1 of 2 photos show no legs, and so does the result" in views.err
    pipe = Pipeline.from_pretrained(model)
    placed, usual = (pipe(half, "walking", in_place=in_place) for in_place in (True, False))
    assert usual.pose.present[[10, 13]].all()
    assert placed.pose.present[:8].all()
    assert not placed.pose.present[[10, 13]].any()
    with Image.open(tmp_path / "one.png") as made:
        assert np.array_equal(made, placed.image)

    many = ("generate", half.parent, "--poses", "walking", "--model", model, "--out", tmp_path / "many")
    assert pg2(*many).code == 0
    with Image.open(tmp_path / "many" / "half_person0_walking.png") as made:
        assert np.array_equal(made, placed.image)
    assert_refused(pg2(*many, "--no-in-place"), "many")


def test_a_full_size_picture_keeps_the_photo_where_the_model_has_the_choice(pg2, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    made = {}
    for background in ("", "keep", "expected"):
        out = tmp_path / f"made{background}.png"
        given = ["--background", background] if background else []
        ran = pg2("generate", PHOTO, "--pose", "walking", "--model", "fast/market1501", "--full-size", *given,
                  "--out", out)  # fmt: skip
        assert ran.code == 0, ran.err
        made[background] = out.read_bytes()
    assert made[""] == made["keep"] != made["expected"]


def test_what_is_copied_and_what_is_invented(pg2, model: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    refine = TransportConfig(kind="transport", widths=(8, 8), finish=8)
    fetching = PG2(ModelConfig(frame=(64, 32), coarse=CoarseConfig(width=8, blocks=2), refine=refine))
    fetching.initialise()
    fetching.save(tmp_path / "fetching")
    out = tmp_path / "origin.png"
    command = ["generate", PHOTO, "--pose", "back", "--device", "cpu", "--out", out]
    ran = pg2(*command, "--origin", "--model", tmp_path / "fetching")
    assert ran.code == 0, ran.err
    said = r"pg2: \d+ % of the person is copied from the photo, \d+ % is invented; the photo shows the person"
    assert re.match(said, ran.err)
    expected = Pipeline.from_pretrained(tmp_path / "fetching")(PHOTO, "back").origin
    with Image.open(out) as made:
        np.testing.assert_array_equal(np.asarray(made), np.asarray(expected))
    refused = pg2(*command, "--origin", "--model", model)
    assert_refused(refused, "does not know what it copies from the photo; leave out --origin")
    refused = pg2(*command, "--origin", "--full-size", "--model", model)
    assert_refused(refused, "--full-size and --origin are different pictures")


def test_a_cluster_is_for_many_photos(pg2, model: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "a.png"
    ran = pg2("generate", PHOTO, "--pose", "front", "--model", model, "--out", out, "--ray", "local")
    assert_refused(ran, "--ray spreads many photos; say with --poses in which poses")
    ran = pg2("render", tmp_path / "people", "--ray", "local", "--workers", 2)
    assert_refused(ran, "leave out --workers, or --ray")
    assert list(tmp_path.iterdir()) == []


def test_addresses_of_a_store(pg2, model: Path) -> None:  # type: ignore[no-untyped-def]
    store = fsspec.filesystem("memory")
    store.pipe_file("/cli/photos/ann.jpg", Path(PHOTO).read_bytes())
    line = ("generate", "memory://cli/photos", "--model", model, "--poses", "front")
    ran = pg2(*line, "--out", "memory://cli/out/")
    assert ran.code == 0, ran.err
    assert "memory://cli/out/manifest.jsonl: 1 pictures made" in ran.out
    assert store.find("/cli/out") == [
        "/cli/out/ann_person0_front.png", "/cli/out/manifest.jsonl", "/cli/out/options.json",
    ]  # fmt: skip
    assert_refused(pg2("generate", "memory://cli/photos", "--pose", "front"), "is an address; with --poses")
    assert_refused(pg2("generate", PHOTO, "--pose", "front", "--out", "s3://x/y.png"), "is an address")
    assert_refused(pg2(*line[:-2], "--poses", "front", "--out", "http://x/y"), "http:// is no object store")
