"""Scoring a model over pairs: rows, masks, errors, agreement with scikit-image on real pairs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data_samples import write_rendered
from evaluation_samples import FakeData, FakeModel, darker, noise, stacked
from real_data import MARKET, needs
from skimage.metrics import structural_similarity
from torch import Tensor

from pg2 import metrics
from pg2.data.prepared import PreparedDataset
from pg2.data.sources.folder import prepare_folder
from pg2.errors import Pg2Error
from pg2.evaluation import measuring
from pg2.evaluation.classifier import Classifier, feature_distance
from pg2.evaluation.distributions import frechet_distance, inception_score
from pg2.evaluation.instruments import Instruments
from pg2.evaluation.judges import Look
from pg2.evaluation.pair_lists import all_test_pairs, pair_indices
from pg2.evaluation.protocol import evaluate, pictures_of, training_features
from pg2.evaluation.remembered import Remembered
from pg2.evaluation.scores import COPY, PAIR_SCORES, REAL, Evaluation, set_scores
from pg2.evaluation.stored import StoredPictures, score_stored
from pg2.io.pictures import load_image
from pg2.io.pixels import to_uint8
from pg2.pose.estimator import PoseEstimator
from pg2.pose.formats import read_keypoints_csv, read_pairs_csv
from pg2.pose.maps import pose_mask

PAIRS = [("0.jpg", "1.jpg"), ("1.jpg", "0.jpg"), ("2.jpg", "3.jpg"), ("3.jpg", "1.jpg"), ("4.jpg", "0.jpg")]


@pytest.fixture
def data() -> Any:
    return noise(5)


def posed(source: Tensor, keypoints: Tensor) -> Tensor:
    """A stage II that depends on the target's pose, and leaves [-1, 1]."""
    assert source.min() >= -1
    assert source.max() <= 1
    assert keypoints.shape == (len(source), 18, 2)
    return source * 0.5 + keypoints.nansum((1, 2)).sin().view(-1, 1, 1, 1)


TWO_STAGES = FakeModel(darker, posed)


def mean_of(found: Evaluation, row: str, score: str) -> float:
    estimate = found.estimate(row, score)
    assert estimate is not None
    return estimate.mean


def side(data: Any, number: int) -> Tensor:
    return stacked(data, [pair[number] for pair in PAIRS])


def test_every_score_of_every_row(data: Any) -> None:
    classifier = Classifier()
    tools = Instruments([classifier])
    with pytest.warns(UserWarning, match="5 pictures are fewer than the 10 splits of IS"):
        found = evaluate(TWO_STAGES, data, PAIRS, batch=2, instruments=tools, progress=False)
    assert list(found.rows) == [COPY, "stage I (coarse)", "stage II (refined)"]
    source, target = side(data, 0), side(data, 1)
    indices = torch.tensor(pair_indices(data, PAIRS))
    keypoints = torch.from_numpy(data.keypoints)
    masks = [pose_mask(keypoints[indices[:, side]], (32, 16)) for side in (0, 1)]
    made = [stage(source / 127.5 - 1, keypoints[indices[:, 1]]) for stage in (darker, posed)]
    pictures = [source, *map(to_uint8, made)]
    for (row, scores), picture in zip(found.rows.items(), pictures, strict=True):
        expected = {
            "ssim": metrics.ssim(picture, target),
            "ssim_gaussian": metrics.ssim_gaussian(picture, target),
            "mask_ssim": metrics.ssim(picture * masks[1], target * masks[1]),
            "mask_ssim_source": metrics.ssim(picture * masks[0], target * masks[0]),
            "psnr": metrics.psnr(picture, target),
            "l1": metrics.l1(picture, target),
            "sharpness": metrics.sharpness(picture),
            "feature_distance": feature_distance(
                classifier.look(picture).layers or [], classifier.look(target).layers or []
            ),
        }
        others = {"lpips", "pckh", "person", "l1_visible", "l1_invented"}
        assert scores.keys() == expected.keys() == PAIR_SCORES.keys() - others
        for score, values in expected.items():
            # A network counts in float32, and its last bit depends on the processor.
            near = {"rtol": 1e-6, "atol": 1e-6} if score == "feature_distance" else {}
            torch.testing.assert_close(scores[score], values, msg=f"{row}, {score}", **near)
    torch.testing.assert_close(found.target_sharpness, metrics.sharpness(target))


def test_the_size_of_a_batch_changes_nothing_and_pictures_are_decoded_once(data: Any) -> None:
    together = evaluate(TWO_STAGES, data, PAIRS, batch=100, progress=False)
    data.decoded.clear()
    alone = evaluate(TWO_STAGES, data, PAIRS, batch=1, progress=False)
    assert set(data.decoded.values()) == {1}
    for row, scores in together.rows.items():
        for score, values in scores.items():
            torch.testing.assert_close(alone.rows[row][score], values)


def test_a_perfect_model_scores_perfectly(data: Any) -> None:
    targets = iter(side(data, 1).split(2))
    found = evaluate(
        FakeModel(lambda source, keypoints: next(targets) / 127.5 - 1),
        data,
        PAIRS,
        batch=2,
        progress=False,
    )
    assert list(found.rows) == [COPY, "stage I (coarse)"]
    left_out = {"feature_distance", "lpips", "pckh", "person", "l1_visible", "l1_invented"}
    assert set(PAIR_SCORES) - set(found.about) == left_out, "without instruments"
    means = {score: mean_of(found, "stage I (coarse)", score) for score in found.about}
    perfect = dict.fromkeys(found.about, 1.0) | {"psnr": metrics.MAX_PSNR, "l1": 0.0}
    assert means == pytest.approx(perfect)


def test_estimates(data: Any) -> None:
    """Each picture of another person: an interval over people is one over pairs of unlike targets."""
    pairs = PAIRS[:3]
    found = evaluate(TWO_STAGES, data, pairs, progress=False)
    values = found.rows[COPY]["l1"].numpy()
    mean, half_width = found.estimate(COPY, "l1") or (0, 0)
    assert mean == pytest.approx(values.mean())
    assert half_width == pytest.approx(1.96 * values.std(ddof=1) / 3**0.5)
    ratio, spread = found.estimate("stage I (coarse)", "sharpness") or (0, 0)
    sharp = found.rows["stage I (coarse)"]["sharpness"]
    assert ratio == pytest.approx(float(sharp.mean() / found.target_sharpness.mean()))
    assert 0 < spread < 1


def test_intervals_are_over_people(data: Any) -> None:
    """The same pairs four times over say no more of other people than once."""
    once = evaluate(TWO_STAGES, data, PAIRS, progress=False)
    again = evaluate(TWO_STAGES, data, PAIRS * 4, progress=False)
    for row, score in ((COPY, "ssim"), ("stage I (coarse)", "sharpness")):
        few, many = once.estimate(row, score), again.estimate(row, score)
        assert few is not None
        assert many == pytest.approx(few)
        assert few.half_width > 0
    for record in data.records:
        record.person = "the same"
    alone = evaluate(TWO_STAGES, data, PAIRS, progress=False).estimate(COPY, "ssim")
    assert alone is not None
    assert np.isnan(alone.half_width), "one person says nothing about others"


def test_scores_of_the_whole_set(data: Any) -> None:
    """Real pictures count once each; with few pictures IS is left out, and that is said."""
    tools = Instruments([Classifier()])
    names = {name for _, name in PAIRS}
    with pytest.warns(UserWarning, match="5 pictures are fewer than the 10 splits of IS"):
        few = evaluate(TWO_STAGES, data, PAIRS, instruments=tools, progress=False)
    assert "lite0_is" not in few.about
    assert {"lite0_fid_test", "lite0_kid_test"} <= few.about.keys()
    found = evaluate(TWO_STAGES, data, PAIRS * 4, batch=3, instruments=tools, progress=False)
    targets = torch.from_numpy(np.stack([data.image(data.index_of(name)) for name in sorted(names)]))
    wanted = Classifier().look(targets.permute(0, 3, 1, 2)).pooled
    made = darker(side(data, 0) / 127.5 - 1, torch.zeros(5, 18, 2))
    pooled = Classifier().look(to_uint8(made)).pooled.repeat(4, 1)
    distance = frechet_distance(pooled, wanted)
    assert mean_of(found, "stage I (coarse)", "lite0_fid_test") == pytest.approx(distance, rel=1e-4)
    # As many real pictures as generated ones, or their IS would be of less.
    repeated = torch.cat([Classifier().look(side(data, 1)).probabilities] * 4)
    assert mean_of(found, REAL, "lite0_is") == pytest.approx(inception_score(repeated).mean, rel=1e-4)
    assert found.estimate(REAL, "lite0_fid_test") is None, "no distance to themselves"
    assert mean_of(found, COPY, "lite0_is") > 1
    assert mean_of(found, COPY, "lite0_mask_is") > 1
    assert set(set_scores(tools.judges[0])) - set(found.about) == {"lite0_fid_train", "lite0_kid_train"}


class Counting(Classifier):
    """Counts the pictures that it looks at."""

    seen = 0

    def look(self, images: Tensor) -> Look:
        self.seen += len(images)
        return super().look(images)


class Forgetful(Remembered):
    """Looks at each picture anew."""

    def __call__(self, names: Sequence[str], *batch: Tensor) -> list[Tensor]:
        return list(self._look(*batch))


def test_a_real_picture_is_looked_at_once_and_scores_as_if_it_were_each_time(
    data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [(f"{number % 5}.jpg", f"{number * number % 5}.jpg") for number in range(20)]

    def scored() -> tuple[Evaluation, int]:
        judge = Counting()
        tools = Instruments([judge])
        return evaluate(TWO_STAGES, data, pairs, batch=7, instruments=tools, progress=False), judge.seen

    found, looks = scored()
    targets = {target for _, target in pairs}
    # Each picture, each target within its mask; of every pair the copy within it, and both stages twice.
    assert looks == 5 + len(targets) + 5 * len(pairs)
    monkeypatch.setattr(measuring, "Remembered", Forgetful)
    again, looks = scored()
    assert looks == 8 * len(pairs)
    for row, scores in again.rows.items():
        for score, values in scores.items():
            torch.testing.assert_close(found.rows[row][score], values, rtol=1e-5, atol=1e-6)
    for row, estimates in again.sets.items():
        for score, (mean, spread) in estimates.items():
            assert found.sets[row][score].mean == pytest.approx(mean, rel=1e-4, abs=1e-6), (row, score)
            assert found.sets[row][score].half_width == pytest.approx(spread, rel=1e-3, abs=1e-6, nan_ok=True)


def test_distances_to_the_training_pictures(tiny: PreparedDataset) -> None:
    tools = Instruments([Classifier()])
    training = training_features(tiny, tools, batch=4, progress=False)
    indices = tiny.usable("train")
    assert training[0] is not None
    assert len(training[0]) == len(indices)
    pictures = torch.from_numpy(np.stack([tiny.image(index) for index in indices])).permute(0, 3, 1, 2)
    torch.testing.assert_close(training[0], tools.judges[0].look(pictures).pooled, rtol=1e-3, atol=1e-3)
    pairs = all_test_pairs(tiny)
    found = evaluate(
        FakeModel(lambda source, _: source),
        tiny,
        pairs,
        instruments=tools,
        training=training,
        progress=False,
    )
    assert mean_of(found, REAL, "lite0_fid_train") > 0
    assert mean_of(found, COPY, "lite0_fid_train") == mean_of(found, "stage I (coarse)", "lite0_fid_train")


def test_the_pose_estimator_looks_at_some_pairs(data: Any) -> None:
    tools = Instruments(estimator=PoseEstimator(threads=1), bodies=2)
    found = evaluate(TWO_STAGES, data, PAIRS, instruments=tools, progress=False)
    looked_at = ~found.rows[REAL]["person"].isnan()
    assert looked_at.tolist() == [True, False, False, False, True]
    assert 0 <= mean_of(found, COPY, "person") < 0.33, "noise is nobody"


def test_pictures_are_kept_for_scoring_them_later(data: Any, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    found = evaluate(TWO_STAGES, data, PAIRS, batch=2, store=folder, progress=False)
    names = [
        "coarse",
        "keypoints.csv",
        "refined",
        "source",
        "source_mask",
        "store.json",
        "target",
        "target_mask",
    ]
    assert sorted(file.name for file in folder.iterdir()) == names
    stored = StoredPictures(
        folder / "refined",
        folder / "target",
        sources=folder / "source",
        masks=folder / "target_mask",
        source_masks=folder / "source_mask",
    )
    again = score_stored(stored, Instruments(), progress=False)
    for row, name in ((COPY, COPY), ("generated", "stage II (refined)")):
        for score in ("ssim", "ssim_gaussian", "mask_ssim", "mask_ssim_source", "psnr", "l1"):
            torch.testing.assert_close(again.rows[row][score], found.rows[name][score])
    by_pose = StoredPictures(folder / "refined", folder / "target", masks=folder / "keypoints.csv")
    masked = score_stored(by_pose, Instruments(), progress=False).rows["generated"]["mask_ssim"]
    torch.testing.assert_close(masked, found.rows["stage II (refined)"]["mask_ssim"])


def test_nothing_to_evaluate(data: Any) -> None:
    with pytest.raises(Pg2Error, match="no pair"):
        evaluate(TWO_STAGES, data, [])


def test_a_broken_model_is_named(data: Any) -> None:
    def broken(source: Tensor, keypoints: Tensor) -> Tensor:
        refined = source.clone()
        refined[2, 0, 5, 5] = torch.nan
        return refined

    with pytest.raises(Pg2Error, match=r"refined picture for the source 2\.jpg is not finite"):
        evaluate(FakeModel(darker, broken), data, PAIRS, progress=False)


def test_pictures_of_a_few_pairs(data: Any) -> None:
    pictures = pictures_of(TWO_STAGES, data, PAIRS)
    assert list(pictures) == ["source", "target", "stage I", "difference map", "result"]
    assert torch.equal(to_uint8(pictures["source"]), side(data, 0))
    assert torch.equal(to_uint8(pictures["target"]), side(data, 1))
    torch.testing.assert_close(pictures["stage I"], pictures["source"] * 0.5)
    # A difference is shown at half its strength.
    result = pictures["stage I"] + 2 * pictures["difference map"]
    torch.testing.assert_close(pictures["result"], result)
    one = pictures_of(FakeModel(darker), data, PAIRS)
    assert list(one) == ["source", "target", "stage I"], "a one-stage model's only picture is its result"


@needs(MARKET)
def test_copying_the_source_on_real_pairs_scores_as_scikit_image_says() -> None:
    everything = read_pairs_csv(MARKET / "market-pairs-test.csv")
    pairs = [everything[i] for i in np.random.default_rng(0).choice(len(everything), 300, replace=False)]
    points = read_keypoints_csv(MARKET / "market-annotation-test.csv")
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    data: Any = FakeData(
        {name: load_image(MARKET / "bounding_box_test" / name) for name in names},
        np.stack([points[name] for name in names]),
    )
    found = evaluate(FakeModel(), data, pairs, progress=False)
    assert list(found.rows) == [COPY]
    for number, (source, target) in enumerate(pairs[:60]):
        a, b = (data.image(data.index_of(name)) for name in (source, target))
        mask = pose_mask(torch.from_numpy(points[target])[None], (128, 64))[0].permute(1, 2, 0).numpy()
        mask = mask.astype(np.uint8)
        expected = {
            "ssim": structural_similarity(a, b, channel_axis=-1, data_range=255),
            "mask_ssim": structural_similarity(a * mask, b * mask, channel_axis=-1, data_range=255),
            "ssim_gaussian": structural_similarity(
                b,
                a,
                channel_axis=-1,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                data_range=int(a.max()) - int(a.min()),
            ),
        }
        scores = {score: float(found.rows[COPY][score][number]) for score in expected}
        assert scores == pytest.approx(expected, abs=1e-6)
    # The means over all 12,800 pairs are 0.1381 and 0.7390; 0.015 is four standard errors of 300 pairs.
    assert mean_of(found, COPY, "ssim") == pytest.approx(0.1381, abs=0.015)
    assert mean_of(found, COPY, "mask_ssim") == pytest.approx(0.7390, abs=0.015)


def test_what_the_source_shows_and_what_it_hides_are_scored_apart(tmp_path: Path) -> None:
    prepare_folder(write_rendered(tmp_path / "raw"), tmp_path / "data", test_share=1.0)
    rendered = PreparedDataset(tmp_path / "data")
    pairs = [("00000/00.jpg", "00000/01.jpg"), ("00001/01.jpg", "00001/00.jpg")]
    found = evaluate(FakeModel(lambda source, keypoints: source), rendered, pairs, progress=False)
    values = found.rows[COPY]["l1_visible"]
    # The person stood elsewhere, so each of its pixels is off by all that it differs from the ground.
    for value, person in zip(values.tolist(), ((0, 90, 60), (40, 90, 60)), strict=True):
        assert value == pytest.approx(sum(200 - level for level in person) / 3, rel=0.1)
    invented = found.rows[COPY]["l1_invented"]
    assert (invented.isnan() | (invented > 0)).all()
    assert "l1_visible" in found.about
    strangers = [("00000/00.jpg", "00001/01.jpg")]
    found = evaluate(FakeModel(lambda source, keypoints: source), rendered, strangers, progress=False)
    assert "l1_visible" not in found.about, "nobody knows what one person shows of another"
