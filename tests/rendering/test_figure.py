import numpy as np
import pytest

from pg2.pose.keypoints import KEYPOINTS, MIRRORED


def test_measures_of_a_body(figure):
    heights = [
        figure.floor,
        figure.ankle,
        figure.knee,
        figure.hip,
        figure.waist,
        figure.clavicle,
        figure.neck,
    ]
    assert heights == sorted(heights)
    assert 1.4 < figure.stature < 2.0
    assert figure.scale == pytest.approx(figure.stature / 1.65)
    assert 0.15 < figure.forearm < 0.35
    assert 0.1 < figure.hip_half_width < 0.25


def test_keypoints_at_rest_are_symmetric_and_in_order(figure):
    np.testing.assert_allclose(figure.keypoints[MIRRORED] * [-1, 1, 1], figure.keypoints, atol=2e-3)
    height = dict(zip(KEYPOINTS, figure.keypoints[:, 2], strict=True))
    down = ["left_eye", "nose", "neck", "left_elbow", "left_hip", "left_knee", "left_ankle"]
    assert [height[name] for name in down] == sorted((height[name] for name in down), reverse=True)
    assert figure.keypoints[KEYPOINTS.index("left_shoulder"), 0] > 0.1


def test_coordinates_of_the_arm_go_on_around_the_elbow(figure):
    shoulder, elbow, wrist = figure.arm()
    along = figure.along_arm(np.stack([shoulder, elbow, wrist, wrist * [-1, 1, 1]]))[:, 2]
    expected = [0, figure.upper_arm, figure.upper_arm + figure.forearm, figure.upper_arm + figure.forearm]
    np.testing.assert_allclose(along, expected, atol=1e-6)


def test_keypoints_follow_the_bones(figure):
    bones = np.tile(np.eye(4), (len(figure.model.bones), 1, 1))
    np.testing.assert_allclose(figure.posed_keypoints(bones), figure.keypoints)
    bones[:, :3, 3] = [1, 2, 3]
    np.testing.assert_allclose(figure.posed_keypoints(bones), figure.keypoints + np.array([1, 2, 3]))
