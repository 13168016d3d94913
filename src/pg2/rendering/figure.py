"""One person's body at rest, measured: its joints and keypoints, and how far along an arm a point is."""

from collections.abc import Mapping

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from pg2.pose.keypoints import COUNT, KEYPOINTS
from pg2.rendering.body import SKIN_VERTICES, BodyModel
from pg2.rendering.geometry import Array, Weights, skinned, smoothstep, unit

# A keypoint of a limb lies at a joint of the skeleton, moved a little to where annotators of photos see it:
# the bone below the joint, the bone above, and (outwards, backwards, up) for a stature of 1.65 m.
_LIMBS = {
    "shoulder": ("upperarm01", "shoulder01", (-0.010, 0.000, 0.018)),
    "elbow": ("lowerarm01", "upperarm02", (-0.010, -0.010, 0.010)),
    "wrist": ("wrist", "lowerarm02", (-0.005, 0.000, 0.000)),
    "hip": ("upperleg01", "pelvis", (-0.015, -0.020, -0.025)),
    "knee": ("lowerleg01", "upperleg02", (0.005, 0.005, 0.000)),
    "ankle": ("foot", "lowerleg02", (0.000, 0.000, 0.020)),
}
# A keypoint of the face lies at a vertex of the mesh.
_FACE = {"nose": 201, "left_eye": 7774, "right_eye": 1082, "left_ear": 12131, "right_ear": 5532}
_NECK, _SHOULDERS = (
    KEYPOINTS.index("neck"),
    [KEYPOINTS.index(f"{side}_shoulder") for side in ("right", "left")],
)


class Figure:
    """A body at rest and its measures, in metres.

    Attributes:
        model: what all bodies share.
        vertices: [V, 3].
        heads: heads of bones [B, 3].
        floor: height of the soles.
        stature: from the soles to the crown.
        scale: stature / 1.65; sizes of clothes are given for a stature of 1.65 m.
        hip, knee, ankle, waist, clavicle, neck: heights.
        upper_arm, forearm: lengths.
        hip_half_width: from the middle to the outside of the hips.
        arm_share, leg_share, head_share: [V], how much of a vertex is arm, leg or head.
        keypoints: [18, 3] at rest; see `posed_keypoints`.
    """

    def __init__(
        self, model: BodyModel, phenotype: Mapping[str, float], shapes: Mapping[str, float] | None = None
    ) -> None:
        """Shape and measure the body with the given traits and shapes (see `BodyModel.rest`)."""
        self.model = model
        self.vertices, self.heads = model.rest(phenotype, shapes)
        skin = self.vertices[:SKIN_VERTICES]
        self.floor = float(skin[:, 2].min())
        self.stature = float(skin[:, 2].max()) - self.floor
        self.scale = self.stature / 1.65
        self.arm_share = model.share_of("upperarm", "lowerarm", "wrist", "finger", "metacarpal")
        self.leg_share = model.share_of("upperleg", "lowerleg", "foot", "toe")
        self.head_share = model.share_of("head")
        self.hip, self.knee, self.ankle, self.clavicle, self.neck = (
            float(self.head(bone)[2])
            for bone in ("upperleg01.L", "lowerleg01.L", "foot.L", "clavicle.L", "neck01")
        )
        self.waist = self.hip + 0.28 * (self.clavicle - self.hip) - 0.02 * self.scale
        shoulder, elbow, wrist = self.arm()
        self.upper_arm = float(np.linalg.norm(elbow - shoulder))
        self.forearm = float(np.linalg.norm(wrist - elbow))
        at_hips = (np.abs(skin[:, 2] - self.hip) < 0.06 * self.scale) & (self.arm_share[:SKIN_VERTICES] < 0.1)
        self.hip_half_width = float(np.abs(skin[at_hips, 0]).max())
        self._points, self._point_weights = self._landmarks()
        self.keypoints = self._with_neck(self._points)

    def head(self, bone: str) -> Array:
        """Where a bone begins, [3]."""
        return np.asarray(self.heads[self.model.bones[bone]])

    def arm(self, side: str = "L") -> tuple[Array, Array, Array]:
        """Shoulder, elbow and wrist of the arm on side "L" or "R", [3] each."""
        return self.head(f"upperarm01.{side}"), self.head(f"lowerarm01.{side}"), self.head(f"wrist.{side}")

    def along_arm(self, points: Array) -> Array:
        """Coordinates of points at rest [N, 3] in the (left or right) arm, which bends at the elbow.

        Returns:
            [N, 3]: two across the arm, and the distance from the shoulder along it.
        """
        points = np.stack([np.abs(points[:, 0]), points[:, 1], points[:, 2]], 1)
        shoulder, elbow, wrist = self.arm()
        upper, fore = unit(elbow - shoulder), unit(wrist - elbow)
        hinge = unit(np.cross(upper, fore))
        from_shoulder, from_elbow = points - shoulder, points - elbow
        distance = from_shoulder @ upper
        below = smoothstep(-0.02, 0.02, distance - self.upper_arm)[:, None]
        in_upper = np.stack([from_shoulder @ hinge, from_shoulder @ np.cross(upper, hinge), distance], 1)
        in_fore = np.stack(
            [from_elbow @ hinge, from_elbow @ np.cross(fore, hinge), self.upper_arm + from_elbow @ fore], 1
        )
        coordinates: Array = in_upper * (1 - below) + in_fore * below
        return coordinates

    def trunk(self, x: Array, height: Array, back: bool = False) -> Array:
        """How far in front, or behind (y), the body without arms is at places across and heights."""
        skin = self.vertices[:SKIN_VERTICES]
        behind = skin[:, 1] > self.head("spine03")[1]
        side = skin[(behind == back) & (self.arm_share[:SKIN_VERTICES] < 0.5)]
        _, nearest = cKDTree(side[:, [0, 2]]).query(np.stack([x, height], -1))
        return np.asarray(side[nearest, 1])

    def posed_keypoints(self, bones: Array) -> Array:
        """The 18 keypoints [18, 3] under the bones' transforms [B, 4, 4]."""
        return self._with_neck(skinned(self._points, self._point_weights, bones))

    def _landmarks(self) -> tuple[Array, Weights]:
        """The keypoints at rest [18, 3], and which bones they follow, CSR [18, B]; the neck's are zero."""
        points = np.zeros((COUNT, 3))
        weights = np.zeros((COUNT, len(self.model.bones)))
        for index, name in enumerate(KEYPOINTS):
            side, _, joint = name.partition("_")
            if name in _FACE:
                points[index] = self.vertices[_FACE[name]]
                weights[index, self.model.bones["head"]] = 1
            elif joint in _LIMBS:
                below, above, moved = _LIMBS[joint]
                letter, outwards = ("L", 1) if side == "left" else ("R", -1)
                points[index] = (
                    self.head(f"{below}.{letter}") + np.array(moved) * (outwards, 1, 1) * self.scale
                )
                for bone in (below, above):
                    weights[index, self.model.bones[f"{bone}.{letter}"]] = 0.5
        return points, sparse.csr_matrix(weights)

    @staticmethod
    def _with_neck(points: Array) -> Array:
        """As annotated in COCO's 18 points, the neck is the middle of the shoulders."""
        points = points.copy()
        points[_NECK] = points[_SHOULDERS].mean(0)
        return points
