"""What the pictures of people show: checked by geometry, without looking."""

import numpy as np
from PIL import Image, ImageFilter

from pg2.pose.keypoints import KEYPOINTS, Pose
from pg2.rendering.options import RenderOptions
from pg2.rendering.pictures import Photographer

INDEX = {name: index for index, name in enumerate(KEYPOINTS)}


def test_keypoints_lie_on_the_person(pictures):
    for person in pictures:
        for picture in person:
            solid = Image.fromarray((picture.mask > 0).astype(np.uint8) * 255)
            # A wrist seen from the side is thin: one pixel of 64 is 3 cm.
            mask = np.asarray(solid.filter(ImageFilter.MaxFilter(3))) > 0
            pose = Pose(picture.points)
            assert pose.has_torso
            x, y = picture.points[pose.present].astype(int).T
            assert mask[y, x].all()


def test_left_and_right_as_seen(pictures):
    views = set()
    for person in pictures:
        for picture in person:
            views.add(picture.record["view"])
            towards_left = picture.points[INDEX["left_shoulder"]] - picture.points[INDEX["right_shoulder"]]
            if picture.record["view"] == "front":
                assert towards_left[0] > 3
            elif picture.record["view"] == "back":
                assert towards_left[0] < -3
    assert views == {"front", "three-quarter", "side", "back"}


def test_faces_are_seen_from_the_front_only(pictures):
    for person in pictures:
        for picture in person:
            face = np.isfinite(picture.points[[INDEX[name] for name in ("nose", "right_eye", "left_eye")], 0])
            if picture.record["view"] == "back":
                assert not face.any()
            elif picture.record["view"] == "front":
                assert face.all()


def test_pictures_show_different_people_on_paper(pictures):
    first, second = pictures[0][0], pictures[1][0]
    assert first.image.shape == (64, 64, 3)
    assert np.abs(first.image.astype(int) - second.image).mean() > 3
    for picture in (first, second):
        corner = picture.image[:8, :8].astype(int)
        assert corner.min() > 200
        assert np.ptp(corner) < 20


def test_mixed_framing_in_streets(egl):
    options = RenderOptions(poses=12, size=(32, 64), seed=3, look="street", framing="mixed")
    with Photographer(options) as photographer:
        record, pictures = photographer.photograph(0)
        shots = list(pictures)
    assert record["top"]
    framings = [shot.record["framing"] for shot in shots]
    assert set(framings) == {"full", "upper"}
    assert np.std([shot.image[:4, :4].mean() for shot in shots]) > 5
    knees = [np.isfinite(shot.points[INDEX["left_knee"], 0]) for shot in shots]
    assert [framing == "full" for framing in framings] == knees
