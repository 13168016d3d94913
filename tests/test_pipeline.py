"""Photo + pose -> picture: every way in, every way out."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pg2 import PG2, Pg2Error, Pipeline, Pose
from pg2.models.config import CoarseConfig, DifferenceConfig, ModelConfig
from pg2.pose.maps import heatmaps
from pg2.pose.named import named_pose

SAMPLES = Path(__file__).parents[1] / "src/pg2/samples"
PHOTO = SAMPLES / "00003/00.jpg"


@pytest.fixture(scope="module")
def pipe() -> Pipeline:
    torch.manual_seed(0)
    config = ModelConfig(
        frame=(64, 32), coarse=CoarseConfig(width=8, blocks=2), refine=DifferenceConfig(width=8, blocks=2)
    )
    return Pipeline(PG2(config))


def test_a_result_has_every_picture(pipe: Pipeline) -> None:
    result = pipe(PHOTO, "walking")
    assert result.difference is not None
    for picture in (result.image, result.coarse, result.difference, result.source, result.skeleton):
        assert picture.size == (32, 64)
        assert picture.mode == "RGB"
    assert result.pose.size == (64, 32)
    assert result.full_size.size == (256, 256)
    assert result.strip.width > 5 * 32


def test_the_picture_is_the_models(pipe: Pipeline) -> None:
    """By hand: a photo of the frame's own proportions and size is taken as it is."""
    pixels = np.random.default_rng(0).integers(0, 256, (64, 32, 3), dtype=np.uint8)
    pose = named_pose("front").scale(0.5)
    result = pipe(pixels, pose, source_pose=pose)
    np.testing.assert_array_equal(np.asarray(result.source), pixels)
    np.testing.assert_allclose(result.pose.points, pose.points, atol=1e-4)
    source = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.inference_mode():
        output = pipe.model(source, heatmaps(torch.from_numpy(result.pose.points.copy())[None], (64, 32)))
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
    difference = np.abs(np.asarray(rows[1][1].image).astype(int) - np.asarray(alone).astype(int))
    assert difference.max() <= 1


def test_full_size_changes_only_the_person(pipe: Pipeline) -> None:
    photo = np.full((200, 400, 3), 90, np.uint8)
    pose = named_pose("front").affine((1.0, 1.0), (250.0, 40.0), (200, 400))
    changed = np.asarray(pipe(photo, "walking", source_pose=pose).full_size) != photo
    columns = np.flatnonzero(changed.any(axis=(0, 2)))
    assert 230 < columns.min() < columns.max() < 330


def test_a_one_stage_model_has_no_difference_map() -> None:
    config = ModelConfig(frame=(64, 32), coarse=CoarseConfig(width=8, blocks=2), refine=None)
    result = Pipeline(PG2(config))(PHOTO, "front")
    assert result.difference is None
    assert result.image.tobytes() == result.coarse.tobytes()


def test_saved_and_loaded_it_draws_the_same(pipe: Pipeline, tmp_path: Path) -> None:
    pipe.save_pretrained(tmp_path / "model")
    again = Pipeline.from_pretrained(tmp_path / "model")
    one, other = (np.asarray(p(PHOTO, "front").image).astype(int) for p in (pipe, again))
    assert np.abs(one - other).max() <= 1


@pytest.mark.parametrize(
    ("photo", "pose", "said"),
    [
        (np.zeros((64, 32), np.uint8), "front", "a photo is an array uint8"),
        (np.zeros((8, 8, 3), np.uint8), "front", "too small"),
        (PHOTO, "wave", '"wave" is neither a named pose'),
        (PHOTO, Pose(np.full((18, 2), np.nan)), "no keypoint"),
        ("nowhere.jpg", "front", "no file nowhere.jpg"),
    ],
)
def test_bad_input(pipe: Pipeline, photo: object, pose: object, said: str) -> None:
    with pytest.raises(Pg2Error, match=said):
        pipe(photo, pose)  # type: ignore[arg-type]


def test_nobody_on_the_photo_of_the_pose_names_it(pipe: Pipeline, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "grey").save(tmp_path / "empty.png")
    with pytest.raises(Pg2Error, match=r"empty\.png: no person"):
        pipe.target_pose(tmp_path / "empty.png")


def test_nobody_on_the_photo_names_the_photo(pipe: Pipeline, tmp_path: Path) -> None:
    Image.new("RGB", (200, 200), "grey").save(tmp_path / "wall.png")
    with pytest.raises(Pg2Error, match=r"wall\.png"):
        pipe(tmp_path / "wall.png", "front")
