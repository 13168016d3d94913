"""The command line: the whole way from photos to pictures, and errors as one line with exit code 2."""

import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pg2 import cli
from pg2.data.prepared import PreparedDataset
from pg2.pose.keypoints import Pose, format_keypoints_csv, read_keypoints_csv

SAMPLES = Path(__file__).parents[1] / "src/pg2/samples"
PHOTO = str(SAMPLES / "00003/00.jpg")


def size_of(picture: Path) -> tuple[int, int]:
    with Image.open(picture) as opened:
        return opened.size


class Ran:
    """What a command line did."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def pg2(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Run `pg2 ARGUMENTS` in this process."""

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["pg2", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small untrained model of 32x16."""
    from pg2.models.config import CoarseConfig, ModelConfig, RefineConfig
    from pg2.models.pg2 import PG2

    folder = tmp_path_factory.mktemp("models") / "small"
    config = ModelConfig(
        frame=(32, 16), coarse=CoarseConfig(width=8, blocks=2), refine=RefineConfig(width=8, blocks=2)
    )
    PG2(config).save(folder)
    return folder


def assert_refused(ran: Ran, said: str) -> None:
    assert ran.code == 2
    assert said in ran.err
    assert ran.err.startswith("pg2: ")
    assert len(ran.err.strip().splitlines()) == 1


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


def test_the_samples_become_a_data_set(pg2, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ran = pg2("prepare", "samples", tmp_path / "data", "--test-share", 0.2)
    assert ran.code == 0, ran.err
    data = PreparedDataset(tmp_path / "data")
    assert (len(data), data.frame) == (144, (256, 256))
    assert {record.split for record in data.records} == {"train", "test"}
    assert data.jpeg(0) == (SAMPLES / data.records[0].name).read_bytes()
    assert len(data.usable("train")) + len(data.usable("test")) == 144


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


def test_the_named_poses_as_a_picture(pg2, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ran = pg2("pose", "--list", "--out", tmp_path)
    assert ran.code == 0
    assert "hands-on-hips" in ran.out
    assert size_of(tmp_path / "named.png")[0] > 400


def test_deepfashion_without_its_borders(pg2, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    known = read_keypoints_csv(SAMPLES / "keypoints.csv")
    views = {"00003/00.jpg": "1_front", "00003/01.jpg": "3_back"}
    raw, rows, listed = tmp_path / "In-shop", [], "2\nimage_name item_id evaluation_status\n"
    (raw / "img/WOMEN/Dresses/id_00000002").mkdir(parents=True)
    for photo, view in views.items():
        path = f"img/WOMEN/Dresses/id_00000002/02_{view}.jpg"
        shutil.copy(SAMPLES / photo, raw / path)
        listed += f"{path} id_00000002 train\n"
        rows.append((f"fasionWOMENDressesid0000000202_{view.replace('_', '')}.jpg", known[photo]))
    (raw / "list_eval_partition.txt").write_text(listed)
    (tmp_path / "mine.csv").write_text(format_keypoints_csv(rows))
    made = pg2("prepare", "deepfashion", raw, tmp_path / "D", "--crop", "--keypoints", tmp_path / "mine.csv")
    assert made.code == 0, made.err
    assert "train: 2 images, 2 usable, 1 people, 2 ordered pairs" in made.out
    assert PreparedDataset(tmp_path / "D").frame == (256, 176)


@pytest.mark.filterwarnings("ignore:.*fewer than the 10 splits")
def test_scoring_stored_pictures(pg2, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for folder, person in (("made", "00003"), ("real", "00005")):
        shutil.copytree(SAMPLES / person, tmp_path / folder)
    folders, out = [tmp_path / "made", tmp_path / "real"], tmp_path / "scores"
    ran = pg2("score", *folders, "--out", out, "--masks", "auto", "--bodies", 2)
    assert ran.code == 0, ran.err
    assert "| generated |" in ran.out
    assert "mask-SSIM" in ran.out
    assert sorted(file.name for file in out.iterdir()) == [
        "grid.png", "pairs.csv", "scores.json", "scores.md"
    ]  # fmt: skip
    (tmp_path / "real" / "05.jpg").unlink()
    assert_refused(pg2("score", *folders, "--out", out), "different numbers of pictures")
    assert_refused(
        pg2("score", folders[0], folders[0], "--inception", tmp_path / "no.pth"), "there is no file"
    )
    assert_refused(pg2("score", folders[0]), "give a folder of generated and one of target pictures")


def test_views_of_a_person(pg2, model: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ran = pg2("views", model, PHOTO, "--out", tmp_path / "views.png")
    assert ran.code == 0, ran.err
    one = pg2("generate", PHOTO, "--pose", "front", "--pose", "left", "--pose", "back", "--pose", "right",
              "--model", model, "--out", tmp_path / "grid.png")  # fmt: skip
    assert one.code == 0, one.err
    assert (tmp_path / "views.png").read_bytes() == (tmp_path / "grid.png").read_bytes()


@pytest.mark.filterwarnings("ignore:.*fewer than the 10 splits")
def test_table_one(pg2, tiny: PreparedDataset, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    arguments = [
        "table1",
        tiny.path,
        "--preset",
        "debug",
        "--bodies",
        0,
        "--limit",
        3,
        "--out",
        tmp_path / "t",
    ]
    ran = pg2(*arguments)
    assert ran.code == 0, ran.err
    assert "| G1+G2+D |" in ran.out
    assert (tmp_path / "t" / "table1.html").exists()
    assert (tmp_path / "t" / "data" / "g1-ce-l1" / "run" / "coarse" / "model").is_dir()
    assert_refused(pg2(*arguments, "--seed", 1), "begun with seed = 0, now it is 1")
    assert_refused(pg2(*arguments, "--budget", "soon"), "a budget is a time for each model")
    assert_refused(pg2(*arguments[:1], tiny.path, *arguments[1:]), "the same folder name")
    assert_refused(pg2(*arguments, "--pairs", "a.csv", "--pairs", "b.csv"), "give --pairs for each of the 1")

    # What is wrong with the second data set is said before the first is trained.
    other = tmp_path / "other"
    pg2("prepare", "folder", SAMPLES, other, "--size", "32x24", "--test-share", 0.2)
    both = ["table1", tiny.path, other, "--preset", "debug", "--out", tmp_path / "both"]
    assert_refused(pg2(*both), "recipes for pictures twice as high as wide")
    assert not (tmp_path / "both").exists()


def test_a_user_study_from_pictures_to_its_report(pg2, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from pg2.userstudy.answers import Answers
    from pg2.userstudy.study import Study

    folders, study = [tmp_path / "generated", tmp_path / "real"], tmp_path / "study"
    for folder, person in zip(folders, ("00003", "00005"), strict=True):
        shutil.copytree(SAMPLES / person, folder)
    made = pg2("userstudy", "make", *folders, study, "--count", 2, "--practice", 1)
    assert (made.code, made.out.strip()) == (0, str(study)), made.err
    assert_refused(pg2("userstudy", "make", *folders, study), "is there already")
    assert_refused(pg2("userstudy", "report", study, "--out", tmp_path / "report"), "no answers yet")
    answers = Answers(Study.load(study), create=True)
    token = answers.enter()
    for position in range(4):
        answers.record(token, position, "real", 500)
    ran = pg2("userstudy", "report", study, "--out", tmp_path / "report")
    assert ran.code == 0, ran.err
    assert "| **R2G**, real judged generated | 0.0 % |" in ran.out
    assert "| **G2R**, generated judged real | 100.0 % |" in ran.out
    assert (tmp_path / "report/report.md").read_text().strip() == ran.out.strip()
    assert pg2("userstudy", "report", study).out.startswith("# User study: 1 person, 3 counted answers")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pose"], "give photos"),
        (["pose", "nowhere.jpg"], "nowhere.jpg"),
        (["train", "fast/market1510", "D", "--out", "R"], 'did you mean "fast/market1501"'),
        (["train", "debug", "D", "--out", "R", "--set", "sed=1"], 'did you mean "seed"'),
        (["train", "debug", "D", "--out", "R"], "no prepared data set"),
        (["prepare", "market1501", "nowhere", "O"], "nowhere"),
        (["prepare", "deepfashion", "nowhere", "O", "--crop"], "no folder nowhere"),
        (["prepare", "deepfashion", ".", "O", "--keypoints", "auto"], "missing: Img/img/WOMEN"),
        (["prepare", "folder", "nowhere", "O"], "nowhere"),
        (["prepare", "folder", ".", "O", "--size", "big"], "HEIGHTxWIDTH"),
        (["generate", "nowhere.jpg", "--pose", "front", "--model", "MODEL"], "nowhere.jpg"),
        (["generate", PHOTO, "--pose", "fornt", "--model", "MODEL"], "neither a named pose"),
        (["generate", PHOTO, "--pose", "front", "--model", "nothing"], "there is no model nothing"),
        (["generate", PHOTO, "--pose", "front", "--model", "MODEL", "--out", "a.xyz"], "picture format"),
        (["generate", PHOTO, "--pose", "front", "--pose", "back", "--strip", "--model", "MODEL"], "--strip"),
        (["evaluate", "MODEL", "D", "--pairs", "P", "--out", "O"], "no prepared data set"),
        (["evaluate", "MODEL", "D", "--lpips-linear", "F", "--out", "O"], "goes with --lpips FILE"),
        (
            ["userstudy", "make", "nowhere", ".", "O"],
            "nowhere is not there; give a folder of generated pictures",
        ),
        (["userstudy", "make", ".", ".", "O", "--count", "3", "--practice", "3"], "under the count of 3"),
        (["userstudy", "serve", "."], "holds no user study"),
        (["userstudy", "report", "."], "holds no user study"),
    ],
)
def test_errors_are_one_line_and_exit_2(  # type: ignore[no-untyped-def]
    pg2, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_refused(pg2(*(str(model) if word == "MODEL" else word for word in arguments)), said)
    assert not list(tmp_path.iterdir()), "nothing half-written"


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


def test_a_full_disk_while_saving(pg2, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    ran = pg2("generate", PHOTO, "--pose", "front", "--model", model, "--out", tmp_path / "a.png")
    assert_refused(ran, "no space left on device")
    assert not list(tmp_path.iterdir())


def test_ctrl_c_says_that_work_is_kept(pg2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pg2.data.sources.folder.prepare_folder", interrupted)
    ran = pg2("prepare", "samples", tmp_path / "data")
    assert ran.code == 130
    assert ran.err.strip() == "pg2: stopped; what was saved is kept"


def test_help_answers_without_loading_pytorch() -> None:
    code = "import sys, pg2.cli; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    shown = subprocess.run(
        [sys.executable, "-m", "pg2", "--help"], capture_output=True, text=True, check=True
    )
    for command in ("pose", "prepare", "render", "train", "generate", "evaluate", "userstudy"):
        assert command in shown.stdout


def test_its_version(pg2) -> None:  # type: ignore[no-untyped-def]
    ran = pg2("--version")
    assert ran.code == 0
    assert ran.out == f"pg2 {version('pg2')}\n"
