"""Photo + pose -> picture: every way in, every way out."""

import copy
import io
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pg2 import PG2, Pg2Error, Pipeline, Pose
from pg2.io.packaged import SAMPLES
from pg2.io.picture_files import Content
from pg2.models.config import CoarseConfig, DifferenceConfig, ModelConfig, TransportConfig
from pg2.models.inputs import Inputs, Output
from pg2.models.refine.transport import TransportRefiner
from pg2.pipeline import SourcePoseError
from pg2.pose.estimator import NoPersonError
from pg2.pose.formats import read_keypoints_csv
from pg2.pose.named import NAMES, named_pose
from pg2.reports.grids import strip

PHOTO = SAMPLES / "00003/00.jpg"
POSE = Pose(read_keypoints_csv(SAMPLES / "keypoints.csv")["00003/00.jpg"], (256, 256))


def assert_close(one: Image.Image, other: Image.Image, levels: int = 1) -> None:
    """Equal but for so many grey levels: sums in another order are rounded in another way."""
    assert np.abs(np.asarray(one).astype(int) - np.asarray(other).astype(int)).max() <= levels


@pytest.fixture(scope="module")
def one_stage() -> Pipeline:
    torch.manual_seed(0)
    return Pipeline(PG2(ModelConfig(frame=(64, 32), coarse=CoarseConfig(width=8, blocks=2), refine=None)))


@pytest.fixture(scope="module")
def pipe() -> Pipeline:
    torch.manual_seed(0)
    config = ModelConfig(
        frame=(64, 32), coarse=CoarseConfig(width=8, blocks=2), refine=DifferenceConfig(width=8, blocks=2)
    )
    return Pipeline(PG2(config))


def test_a_result_has_every_picture(pipe: Pipeline) -> None:
    result = pipe(PHOTO, "walking")
    assert list(result.pictures) == list(pipe.pictures) == ["coarse", "difference"]
    assert list(result.named) == ["image", "coarse", "difference", "source", "skeleton"]
    for picture in result.named.values():
        assert picture.size == (32, 64)
        assert picture.mode == "RGB"
    for name in ("image", "source", "skeleton"):
        assert result.named[name] == getattr(result, name)
    assert result.pose.size == (64, 32)
    assert result.full_size.size == (256, 256)


def test_the_strip_shows_the_way_to_the_result(pipe: Pipeline, one_stage: Pipeline) -> None:
    """Source, skeleton, and what the model made, enlarged; what a model of one stage made is its result."""
    for pipeline, columns in (
        (pipe, ["source", "skeleton", "coarse", "difference", "image"]),
        (one_stage, ["source", "skeleton", "image"]),
    ):
        result = pipeline(PHOTO, "walking")
        sheet = np.asarray(result.strip)
        labels = ["source", "target pose", "stage I", "difference map", "result"][: len(columns)]
        pictures = [np.asarray(result.named[name]) for name in columns]
        np.testing.assert_array_equal(sheet, strip(pictures, labels))


def test_a_difference_is_grey_where_there_is_none(pipe: Pipeline) -> None:
    result = pipe(PHOTO, "walking")
    coarse, difference = (np.asarray(result.pictures[name]).astype(int) for name in ("coarse", "difference"))
    added = coarse + 2 * (difference - 127.5)
    assert np.abs(np.clip(added, 0, 255) - np.asarray(result.image)).max() <= 3


def test_the_picture_is_the_models(pipe: Pipeline) -> None:
    """By hand: a photo of the frame's own proportions and size is taken as it is."""
    pixels = np.random.default_rng(0).integers(0, 256, (64, 32, 3), dtype=np.uint8)
    pose = named_pose("front").scale(0.5)
    result = pipe(pixels, pose, source_pose=pose)
    np.testing.assert_array_equal(np.asarray(result.source), pixels)
    np.testing.assert_allclose(result.pose.points, pose.points, atol=1e-4)
    source = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    points = torch.from_numpy(result.pose.points.copy())[None]
    with torch.inference_mode():
        output = pipe.model(Inputs(source, points, points))
    expected = ((output.image[0] + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0)
    np.testing.assert_array_equal(np.asarray(result.image), expected.numpy())


def test_all_ways_to_give_a_photo_agree(pipe: Pipeline) -> None:
    with Image.open(PHOTO) as opened:
        image = opened.convert("RGB")
    results = [pipe(photo, "back").image for photo in (PHOTO, str(PHOTO), image, np.asarray(image))]
    for result in results[1:]:
        assert result.tobytes() == results[0].tobytes()


def test_all_ways_to_give_a_pose_agree(pipe: Pipeline, tmp_path: Path) -> None:
    pose = named_pose("arms-raised")
    pose.save(tmp_path / "pose.json")
    results = [pipe(PHOTO, way).image for way in ("arms-raised", "arms_raised", pose, tmp_path / "pose.json")]
    for result in results[1:]:
        assert result.tobytes() == results[0].tobytes()


def test_a_photo_as_pose_takes_the_other_persons_pose(pipe: Pipeline) -> None:
    other = SAMPLES / "00013/01.jpg"
    result = pipe(PHOTO, other)
    own = pipe(other, "front")
    left, top, right, bottom = result.pose.box
    assert 0 <= left < right <= 31
    assert bottom - top > 40, "the person fills the frame"
    assert result.source.tobytes() != own.source.tobytes()


def test_poses_differ_in_the_picture(pipe: Pipeline) -> None:
    assert pipe(PHOTO, "left").image.tobytes() != pipe(PHOTO, "right").image.tobytes()


def test_a_grid_is_rows_of_photos_and_columns_of_poses(pipe: Pipeline) -> None:
    photos = [PHOTO, SAMPLES / "00013/00.jpg"]
    rows = pipe.grid(photos, ["front", "back", "left"])
    assert [len(row) for row in rows] == [3, 3]
    alone = pipe(photos[1], "back").image
    assert_close(rows[1][1].image, alone)


def test_many_poses_run_a_few_at_a_time(pipe: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory does not grow with the poses; the pictures are those of one by one."""
    run, sizes = pipe.run, []

    def counted(inputs: Inputs) -> Output:
        sizes.append(len(inputs.source))
        return run(inputs)

    monkeypatch.setattr(pipe, "run", counted)
    poses = [named_pose(name).scale(1 - step / 20) for step in range(6) for name in NAMES][:40]
    (row,) = pipe.grid([PHOTO], poses, source_poses=[POSE])
    assert sizes == [16, 16, 8]
    assert len(row) == 40
    for number in (0, 15, 16, 39):
        assert_close(row[number].image, pipe(PHOTO, poses[number], source_pose=POSE).image)
    source = row[0]._source
    sizes.clear()
    assert len(pipe.make([source] * 5, [row[0].pose] * 5, batch=2)) == 5
    assert sizes == [2, 2, 1]
    assert pipe.make([], []) == []
    with pytest.raises(ValueError, match="1 sources cannot take 2 poses"):
        pipe.make([source], [row[0].pose] * 2)


def test_full_size_changes_only_the_person(pipe: Pipeline) -> None:
    photo = np.full((200, 400, 3), 90, np.uint8)
    pose = named_pose("front").affine((1.0, 1.0), (250.0, 40.0), (200, 400))
    changed = np.asarray(pipe(photo, "walking", source_pose=pose).full_size) != photo
    columns = np.flatnonzero(changed.any(axis=(0, 2)))
    assert 230 < columns.min() < columns.max() < 330


def transport() -> PG2:
    """A model that takes the person for the pixels about the middle of the frame, in either pose."""
    torch.manual_seed(0)
    refine = TransportConfig(kind="transport", widths=(8, 8), finish=8)
    model = PG2(ModelConfig(frame=(64, 32), coarse=CoarseConfig(width=8, blocks=2), refine=refine))
    model.initialise()
    assert isinstance(model.refine, TransportRefiner)

    def masks(module: torch.nn.Module, inputs: object, full: torch.Tensor) -> torch.Tensor:
        full[:, 4:12] = -9.0  # two silhouettes, each of four pixels before the shuffle
        full[:, 4:12, 10:22, 5:11] = 9.0
        return full

    model.refine.full.register_forward_hook(masks)
    return model


def test_how_much_is_copied_is_told(pipe: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a person of 12 x 6 cells the upper third is fetched; what is around counts for nothing."""
    monkeypatch.setattr("pg2.models.refine.transport._WITHIN", 9.0)  # the pose adds no trunk to these cells
    model = transport()

    def third(module: torch.nn.Module, inputs: object, full: torch.Tensor) -> torch.Tensor:
        full[:, :4] = -9.0
        full[:, :4, :14] = 9.0
        return full

    model.refine.full.register_forward_hook(third)  # type: ignore[union-attr]
    result = Pipeline(model)(PHOTO, "back", source_pose=POSE)
    assert result.copied == pytest.approx(1 / 3, abs=0.02)
    side = "the photo shows the person from the front, the pose from behind"
    assert result.doubts == (side,)
    assert result.about == f"33 % of the person is copied from the photo, 67 % is invented; {side}"
    assert result.origin is not None
    blue = np.asarray(result.origin).astype(int)
    blue = blue[..., 2] - blue[..., 0]
    assert blue[22:26, 12:20].min() > 40, "copied"
    assert blue[32:42, 12:20].max() < -40, "invented"
    assert abs(blue[:10]).max() == 0, "nobody"

    nothing = pipe(PHOTO, "front", source_pose=POSE)
    assert (nothing.copied, nothing.origin, nothing.doubts, nothing.about) == (None, None, (), "")


def test_a_person_far_away_is_blurred(pipe: Pipeline) -> None:
    far = Pose(POSE.points / 20 + 100, (256, 256))
    assert pipe(PHOTO, "front", source_pose=far).doubts == ("a pixel of the photo is 6 pixels of the result",)


def test_everybody_is_prepared(pipe: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    people = [POSE, Pose(POSE.points / 2, (256, 256))]
    monkeypatch.setattr(pipe.estimator, "estimate_all", lambda image: people)
    found = pipe.prepare_everybody(PHOTO)
    assert [source.pose for source in found] == [
        pipe.prepare(PHOTO, person=number).pose for number in range(2)
    ]
    monkeypatch.setattr(pipe.estimator, "estimate_all", lambda image: [])
    with pytest.raises(NoPersonError, match=r"00\.jpg: no person is seen"):
        pipe.prepare_everybody(PHOTO)


def test_full_size_blends_the_person_alone_into_the_photo() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (200, 400, 3), np.uint8)
    pose = named_pose("front").affine((1.0, 1.0), (250.0, 40.0), (200, 400))
    pipeline = Pipeline(transport())
    result = pipeline(photo, "walking", source_pose=pose)
    changed = (np.asarray(result.full_size) != photo).any(-1)
    frame = pipeline.prepare(photo, source_pose=pose).framing
    rows, columns = np.nonzero(changed)
    # The model's silhouette, and what the pose of the source hides, a tenth of its height around the joints.
    there = (pose.points - 0.1 * np.ptp(pose.points[:, 1]), pose.points + 0.1 * np.ptp(pose.points[:, 1]))
    left, right = (frame.left + share * (frame.right - frame.left) for share in (7 / 32, 25 / 32))
    top, bottom = (frame.top + share * (frame.bottom - frame.top) for share in (17 / 64, 47 / 64))
    left, top = np.minimum((left, top), there[0].min(0)) - 4  # the edge is soft
    right, bottom = np.maximum((right, bottom), there[1].max(0)) + 4
    assert left < columns.min() < columns.max() < right, "no box: nothing beside them changes"
    assert top <= rows.min() < rows.max() < bottom
    whole = (frame.right - frame.left) * (frame.bottom - frame.top)
    assert 0.3 * whole < changed.sum() < 0.8 * whole
    expected = Pipeline(transport())
    expected.model.set_background("expected")
    boxed = (np.asarray(expected(photo, "walking", source_pose=pose).full_size) != photo).any(-1)
    assert boxed.sum() > 0.9 * whole, "another background is laid on as a box"


def test_the_background_is_a_choice(tmp_path: Path, pipe: Pipeline) -> None:
    transport().save(tmp_path / "model")
    made = {
        background: Pipeline.from_pretrained(tmp_path / "model", background=background)(
            PHOTO, "walking"
        ).image
        for background in (None, "keep", "expected")
    }
    assert made[None] == made["keep"] != made["expected"]
    with pytest.raises(Pg2Error, match='no background "sea": this model has only keep and expected'):
        Pipeline.from_pretrained(tmp_path / "model", background="sea")
    pipe.save_pretrained(tmp_path / "other")
    with pytest.raises(Pg2Error, match='no background "keep": this model has no choice'):
        Pipeline.from_pretrained(tmp_path / "other", background="keep")


def test_the_picture_of_a_one_stage_model_is_its_coarse_one(one_stage: Pipeline) -> None:
    result = one_stage(PHOTO, "front")
    assert list(result.pictures) == ["coarse"]
    assert result.image == result.pictures["coarse"]


def test_of_a_large_pose_photo_a_part_of_the_pixels_is_enough(
    pipe: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Image.open(PHOTO) as opened:
        opened.resize((1024, 1024)).save(tmp_path / "large.jpg", quality=95)
    whole = pipe.target_pose(tmp_path / "large.jpg")
    monkeypatch.setattr("pg2.pipeline.ENOUGH", 512)
    estimate, seen = pipe.estimator.estimate, []
    monkeypatch.setattr(
        pipe.estimator, "estimate", lambda image, person: seen.append(image.shape) or estimate(image, person)
    )
    for photo in (tmp_path / "large.jpg", (tmp_path / "large.jpg").read_bytes()):
        np.testing.assert_allclose(pipe.target_pose(photo).points, whole.points, atol=0.5)
    assert seen == [(512, 512, 3)] * 2


def test_an_opened_picture_is_too_large_before_it_is_decoded(pipe: Pipeline) -> None:
    class Huge(Image.Image):
        size = (9_000, 9_000)

        def load(self) -> None:
            raise AssertionError

    with pytest.raises(Pg2Error, match="9000x9000 pixels is too small or too large"):
        pipe(Huge(), "front")


def test_the_pose_on_the_photo_is_kept_in_the_frame(pipe: Pipeline) -> None:
    """Of 256x256 pixels to 64x32 around the person: where the frame shows a joint, the pose has it."""
    found = pipe.estimator.estimate(np.asarray(Image.open(PHOTO)))
    for source in (pipe.prepare(PHOTO), pipe.prepare(PHOTO, source_pose=found)):
        framing = source.framing
        assert source.pose.size == (64, 32)
        corner = np.array([framing.left, framing.top])
        expected = (found.points + 0.5 - corner) * np.array(framing.scale) - 0.5
        there = source.pose.present
        assert there.sum() > 12
        np.testing.assert_allclose(source.pose.points[there], expected[there], atol=0.5)


def test_the_pose_on_the_photo_reaches_the_model(pipe: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    run, given = pipe.run, []
    monkeypatch.setattr(pipe, "run", lambda inputs: given.append(inputs) or run(inputs))
    result = pipe(PHOTO, "walking", source_pose=POSE)
    np.testing.assert_array_equal(
        given[0].source_keypoints[0], pipe.prepare(PHOTO, source_pose=POSE).pose.points
    )
    np.testing.assert_array_equal(given[0].target_keypoints[0], result.pose.points)


def test_a_pose_on_another_photo_is_refused(pipe: Pipeline) -> None:
    said = "the pose on the photo lies in a picture of 64x128 pixels, but the photo has 256x256"
    with pytest.raises(SourcePoseError, match=said):
        pipe(PHOTO, "front", source_pose=Pose(POSE.points, (64, 128)))
    for points, said in (
        (np.full((18, 2), np.nan), "no keypoint"),
        (POSE.points + 300, "outside its picture"),
    ):
        with pytest.raises(SourcePoseError, match=said):
            pipe(PHOTO, "front", source_pose=Pose(points, (256, 256)))
    # One that does not say where it lies is taken as it is.
    bare = pipe(PHOTO, "front", source_pose=Pose(POSE.points)).image
    assert bare == pipe(PHOTO, "front", source_pose=POSE).image


def test_another_process_draws_the_same(pipe: Pipeline) -> None:
    """Given the model, and a photo's content with its name."""
    there = pickle.loads(pickle.dumps(pipe))
    content = pickle.loads(pickle.dumps(Content(Path(PHOTO).read_bytes(), "ann/1.jpg")))
    assert np.array_equal(there(content, "back").image, pipe(PHOTO, "back").image)
    with pytest.raises(Pg2Error, match=r"^ann/1\.jpg is damaged or truncated"):
        there.prepare(Content(content[:2000], content.name))
    grey = io.BytesIO()
    Image.new("RGB", (64, 64), "grey").save(grey, "PNG")
    with pytest.raises(Pg2Error, match=r"^ann/2\.png: no person is seen"):
        there.prepare(Content(grey.getvalue(), "ann/2.png"))


def test_saved_and_loaded_it_draws_the_same(pipe: Pipeline, tmp_path: Path) -> None:
    pipe.save_pretrained(tmp_path / "model")
    again = Pipeline.from_pretrained(tmp_path / "model")
    assert_close(pipe(PHOTO, "front").image, again(PHOTO, "front").image)


@pytest.mark.parametrize("device", ["nonsense", "cuda:99", "cpu:x"])
def test_a_device_that_is_not_here(device: str) -> None:
    with pytest.raises(
        Pg2Error, match=f'there is no device "{device}" here; give auto, cpu, or an'
    ) as raised:
        Pipeline.from_pretrained("fast/market1501", device=device)
    assert "\n" not in str(raised.value)


def test_the_model_runs_where_it_is_asked_to(pipe: Pipeline, tmp_path: Path) -> None:
    """Shown by PyTorch's device of shapes without values, which is everywhere."""
    pipe.save_pretrained(tmp_path / "model")
    for there in (
        Pipeline.from_pretrained(tmp_path / "model", device="meta"),
        Pipeline.from_pretrained(tmp_path / "model").to("meta"),
    ):
        assert there.device.type == "meta"
        output = there.run(Inputs(torch.zeros(2, 3, 64, 32, dtype=torch.uint8), *[torch.zeros(2, 18, 2)] * 2))
        for picture in (output.image, *output.pictures.values()):
            assert (picture.device.type, picture.shape) == ("meta", (2, 3, 64, 32))


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_accelerator_draws_the_same(dtype: torch.dtype) -> None:
    near = Pipeline.from_pretrained("fast/market1501")(PHOTO, "walking", source_pose=POSE)
    there = Pipeline.from_pretrained("fast/market1501", device="auto", dtype=dtype)
    assert there.device.type != "cpu"
    far = there(PHOTO, "walking", source_pose=POSE)
    for name, picture in near.named.items():
        assert_close(picture, far.named[name], 2 if dtype == torch.float32 else 12)


def test_bf16_is_nearly_as_good(pipe: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pg2.io.devices.runs_bf16", lambda _: True)  # every processor can, if slowly
    rough = Pipeline(pipe.model, torch.bfloat16)
    assert rough.dtype == torch.bfloat16
    made = rough(PHOTO, "walking", source_pose=POSE)
    exact = pipe(PHOTO, "walking", source_pose=POSE)
    assert made.image != exact.image
    assert_close(made.image, exact.image, 12)


def test_without_bf16_it_computes_in_fp32_and_says_so(
    pipe: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pg2.io.devices.runs_bf16", lambda _: False)
    with pytest.warns(UserWarning, match="this processor has no bf16; the model computes in fp32"):
        rough = Pipeline(pipe.model, torch.bfloat16)
    assert rough.dtype == torch.float32
    made, exact = (p(PHOTO, "walking", source_pose=POSE).image for p in (rough, pipe))
    assert made == exact


def test_other_precisions_are_refused(pipe: Pipeline) -> None:
    with pytest.raises(Pg2Error, match=r"computes in float32 or bfloat16, not torch\.float16"):
        Pipeline(pipe.model, torch.float16)


@pytest.mark.parametrize(
    ("photo", "pose", "said"),
    [
        (np.zeros((64, 32), np.uint8), "front", "a photo is an array uint8"),
        (np.zeros((8, 8, 3), np.uint8), "front", "too small"),
        (PHOTO, "wave", '"wave" is neither a named pose'),
        (PHOTO, "Walkng", "did you mean walking"),
        (PHOTO, "xyz", "there are front, back"),
        (PHOTO, "n" * 5000, "neither a named pose"),
        (PHOTO, "a\0b", "neither a named pose"),
        (PHOTO, Pose(np.full((18, 2), np.nan)), "no keypoint"),
        ("nowhere.jpg", "front", "no file nowhere.jpg"),
    ],
)
def test_bad_input(pipe: Pipeline, photo: object, pose: object, said: str) -> None:
    with pytest.raises(Pg2Error, match=said):
        pipe(photo, pose)  # type: ignore[arg-type]


def test_a_result_that_is_not_finite_is_an_error(one_stage: Pipeline) -> None:
    """As a picture it would be black."""
    broken = Pipeline(copy.deepcopy(one_stage.model))
    broken.model.coarse.head[0].bias.data[0] = torch.nan
    with pytest.raises(Pg2Error, match="a picture that is not finite"):
        broken(PHOTO, "walking", source_pose=POSE)


def test_nobody_on_the_photo_of_the_pose_names_it(pipe: Pipeline, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "grey").save(tmp_path / "empty.png")
    with pytest.raises(Pg2Error, match=r"empty\.png: no person"):
        pipe.target_pose(tmp_path / "empty.png")


def test_nobody_on_the_photo_names_the_photo(pipe: Pipeline, tmp_path: Path) -> None:
    Image.new("RGB", (200, 200), "grey").save(tmp_path / "wall.png")
    with pytest.raises(Pg2Error, match=r"wall\.png"):
        pipe(tmp_path / "wall.png", "front")
