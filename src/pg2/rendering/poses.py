"""Natural poses: how a person stands or walks, what the arms do, and the bones' transforms that follow.

Angles are degrees. Rotations are global: each turns its bone from rest into the pose.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pg2.rendering.attributes import pick, pick_weighted
from pg2.rendering.body import BodyModel
from pg2.rendering.figure import Figure
from pg2.rendering.geometry import (
    Array,
    frame_of,
    rotation_vector,
    shortest_turn,
    smoothstep,
    turn,
    turn_about,
    unit,
)
from pg2.rendering.person import Person

Turns = dict[str, Array]
"""Name of a bone -> its global rotation [3, 3]; a bone that is not named turns with its parent."""

VIEWS = ("front", "three-quarter", "back", "side", "three-quarter", "front", "front", "three-quarter")
"""From where a person is seen, in pictures 0, 1, 2, ...; the last ones are shuffled, see `draw_views`."""

VIEWS_OF_PHOTOGRAPHS = ("front", "three-quarter", "back", "side", "three-quarter", "back", "front", "front")
"""The same for photographs of clothes, which show a back more often."""

# How often a head turns to the camera, by view, and how far it can, in degrees from the chest.
_TO_CAMERA = {"front": 0.3, "three-quarter": 0.5, "side": 0.5, "back": 0.6}
_FURTHEST_LOOK = 82

_STANCES = {"stand": 0.18, "contrapposto": 0.34, "walk": 0.30, "wide": 0.08, "step": 0.10}
_ARMS = {
    "down": 0.190, "relaxed": 0.170, "hip": 0.140, "pocket": 0.080, "bent": 0.090, "phone": 0.050,
    "carry": 0.050, "out": 0.060, "side": 0.025, "wave": 0.035, "up": 0.020, "chin": 0.020, "hair": 0.012,
    "back": 0.025, "point": 0.015,
}  # fmt: skip


@dataclass(frozen=True)
class _Reach:
    """Where an arm reaches: all as (outwards, forwards, up).

    Attributes:
        wrist: from the shoulder, in lengths of the arm.
        elbow: the direction in which the elbow points.
        hand: how far the hand is turned outwards.
    """

    wrist: tuple[float, float, float]
    elbow: tuple[float, float, float]
    hand: float = 0.0


_REACHES = {
    "down": _Reach((0.20, 0.08, -0.95), (0.35, -1.0, 0.0)),
    "relaxed": _Reach((0.20, 0.24, -0.86), (0.4, -1.0, 0.0)),
    "bent": _Reach((0.14, 0.50, -0.60), (0.5, -1.0, -0.2)),
    "phone": _Reach((-0.10, 0.52, -0.22), (0.5, -0.6, -0.8), 10),
    "carry": _Reach((0.10, 0.48, -0.38), (0.35, -0.9, -0.5), 10),
    "out": _Reach((0.62, 0.18, -0.68), (0.2, -1.0, 0.0)),
    "side": _Reach((0.93, 0.12, -0.10), (0.0, -1.0, -0.5)),
    "wave": _Reach((0.52, 0.25, 0.50), (0.8, -0.2, -1.0)),
    "up": _Reach((0.22, 0.10, 0.92), (1.0, 0.1, 0.0)),
    "chin": _Reach((-0.20, 0.40, 0.02), (0.5, 0.2, -1.0)),
    "hair": _Reach((0.16, 0.10, 0.46), (1.0, 0.15, 0.1)),
    "back": _Reach((0.05, -0.18, -0.86), (0.8, -0.8, 0.0)),
    "point": _Reach((0.18, 0.90, -0.12), (0.5, -0.3, -1.0)),
}
# A step cycle in quarters: flexion of the thigh, of the knee, and pitch of the foot.
_GAIT = {"thigh": (25, 4, -16, 20, 25), "knee": (6, 9, 28, 55, 6), "foot": (-16, 0, 30, 12, -16)}
_LEGS_APART_AT_REST = 4.6


@dataclass(frozen=True, eq=False)
class BodyPose:
    """A sampled pose.

    Attributes:
        name: stance and arms in words, for the record: "walk:swing/phone" (right arm/left arm).
        yaw: how far the person is turned to their left; 0 faces the camera, 180 turns the back.
        bones: transforms [B, 4, 4] from rest into the pose.
    """

    name: str
    yaw: float
    bones: Array


@dataclass(frozen=True)
class _Stance:
    """How the whole body stands.

    Attributes:
        style: a name of `_STANCES`.
        standing_leg: +1 the left, -1 the right, in a contrapposto or a step.
        roll: of the pelvis.
        twist: of the pelvis against the chest.
        phase: of a walk, 0 to 1.
        stride: length of the steps; about 1.
    """

    style: str
    standing_leg: int
    roll: float
    twist: float
    phase: float
    stride: float


def draw_views(count: int, rng: np.random.Generator, order: tuple[str, ...] = VIEWS) -> list[str]:
    """The views of a person's pictures: the first is frontal, and all are there when `count` allows it."""
    views = [order[index % len(order)] for index in range(count)]
    return [views[0], *(views[1:][index] for index in rng.permutation(count - 1))]


def draw_pose(person: Person, view: str, rng: np.random.Generator, *, looks_around: bool = False) -> BodyPose:
    """Draw a pose seen from "front", "three-quarter", "side" or "back"; joints stay in natural limits.

    Args:
        person: who.
        view: from where they are seen.
        rng: draws the pose.
        looks_around: the head often turns to the camera, also over a shoulder, as in photographs.
    """
    yaw = _yaw(view, rng)
    root = turn("z", yaw)
    style = pick_weighted(rng, _STANCES)
    standing_leg = pick(rng, [1, -1])
    rolls = {
        "contrapposto": rng.uniform(2, 6) * standing_leg,
        "walk": rng.uniform(-2, 2),
        "other": rng.uniform(-1.5, 1.5),
    }
    roll, phase = rolls.get(style, rolls["other"]), rng.uniform()
    twist = 9 * np.sin(2 * np.pi * phase) if style == "walk" else rng.uniform(-7, 7)
    pelvis = root @ turn("z", -twist * 0.5) @ turn("y", -roll)
    turns: Turns = {"root": pelvis}
    to_camera = _look_to_camera(yaw, view, rng) if looks_around else None
    turns |= _spine(pelvis, style, roll, twist, to_camera, rng)
    stance = _Stance(style, standing_leg, roll, twist, phase, stride=rng.uniform(0.6, 1.1))
    for side in (1, -1):
        turns |= _leg(stance, side, root, pelvis, rng)
    arms = _draw_arms(stance, rng)
    for side, name in zip((1, -1), arms, strict=True):
        turns |= _arm(person, stance, side, name, turns["spine01"], rng)
    bones = _transforms(person.figure.model, person.figure.heads, turns)
    return BodyPose(f"{style}:{arms[1]}/{arms[0]}", float(yaw), bones)


def _yaw(view: str, rng: np.random.Generator) -> float:
    # All are drawn: what follows does not depend on the view.
    yaws = {
        "front": rng.uniform(-14, 14),
        "three-quarter": rng.uniform(24, 62) * pick(rng, [-1, 1]),
        "side": rng.uniform(75, 105) * pick(rng, [-1, 1]),
        "back": 180 + rng.uniform(-38, 38),
    }
    return float(yaws[view])


def _look_to_camera(yaw: float, view: str, rng: np.random.Generator) -> float | None:
    """How far the head turns for a look to the camera, in degrees to the person's left; None: it does not."""
    away = (yaw + 180) % 360 - 180
    if view == "front":
        # Such a person faces it already, and looks aside.
        look = rng.uniform(20, 65) * pick(rng, [-1, 1])
    elif view == "back":
        side = pick(rng, [-1, 1]) if abs(away) > 160 else -np.sign(away)
        look = side * rng.uniform(45, 95)
    else:
        look = -away * rng.uniform(0.5, 1.05)
    return float(look) if rng.uniform() < _TO_CAMERA[view] else None


def _spine(
    pelvis: Array, style: str, roll: float, twist: float, to_camera: float | None, rng: np.random.Generator
) -> Turns:
    """The five bones of the spine share a counter-roll, a twist and a lean; neck and head look around."""
    turns = {}
    back, turned = roll * 1.5 + rng.uniform(-3, 3), twist * 1.3 + rng.uniform(-5, 5)
    if to_camera is not None:
        # The chest goes with a head that turns far.
        turned += 0.25 * to_camera
    lean = rng.uniform(-3, 4) + (2 if style == "walk" else 0)
    for index, bone in enumerate(("spine05", "spine04", "spine03", "spine02", "spine01")):
        part = (index + 1) / 5
        turns[bone] = pelvis @ turn("z", turned * part) @ turn("y", back * part) @ turn("x", lean * part)
    look = float(np.clip(rng.normal(0, 14), -40, 40))
    if to_camera is not None:
        look = float(np.clip(0.75 * to_camera + 0.4 * look, -_FURTHEST_LOOK, _FURTHEST_LOOK))
    nod, tilt = rng.uniform(-8, 9), rng.uniform(-6, 6)
    for index, bone in enumerate(("neck01", "neck02", "neck03", "head")):
        part = (index + 1) / 4
        turned_head = turn("z", look * part) @ turn("x", nod * part) @ turn("y", tilt * part)
        turns[bone] = turns["spine01"] @ turned_head
    return turns


def _leg(stance: _Stance, side: int, root: Array, pelvis: Array, rng: np.random.Generator) -> Turns:
    """Thigh, shin and foot of one leg; `side` is +1 for the left, -1 for the right."""
    thigh, knee, apart, outwards, pitch = _leg_angles(stance, side, rng)
    apart += -stance.roll * side  # undoes the roll of the pelvis
    letter = "L" if side > 0 else "R"
    upper = pelvis @ turn("z", side * outwards) @ turn("y", -side * apart) @ turn("x", -thigh)
    return {
        f"upperleg01.{letter}": upper,
        f"lowerleg01.{letter}": upper @ turn("x", knee),
        f"foot.{letter}": root @ turn("z", -stance.twist * 0.5 + side * outwards) @ turn("x", pitch),
    }


def _leg_angles(
    stance: _Stance, side: int, rng: np.random.Generator
) -> tuple[float, float, float, float, float]:
    """Flexion of thigh and knee, angle to the side, rotation outwards, pitch of the foot."""
    u, together, chosen = rng.uniform, -_LEGS_APART_AT_REST, side == stance.standing_leg
    if stance.style == "walk":
        phase = (stance.phase + (0 if side > 0 else 0.5)) % 1
        thigh, knee, foot = (
            float(np.interp(phase, [0, 0.25, 0.5, 0.75, 1], _GAIT[joint])) * stance.stride for joint in _GAIT
        )
        return thigh, knee, together + u(-0.5, 1.5), u(2, 8), foot
    if stance.style == "contrapposto" and chosen:
        return u(-2, 1), u(1, 4), together + 1, u(4, 10), 0
    if stance.style == "contrapposto":
        return u(4, 14), u(8, 24), together + u(0, 5), u(8, 24), 0
    if stance.style == "step":
        thigh, knee = (u(12, 22), u(4, 16)) if chosen else (u(-14, -5), u(3, 10))
        return thigh, knee, together + u(-1, 1), u(3, 10), 0 if chosen else u(8, 22)
    apart = u(4, 8) if stance.style == "wide" else u(-1.5, 1.5)
    return u(-1, 2), u(1, 5), together + apart, u(3, 12), 0


def _draw_arms(stance: _Stance, rng: np.random.Generator) -> list[str]:
    """What the left and the right arm do."""
    if stance.style == "walk":
        arms = ["swing", "swing"]
        if rng.uniform() < 0.25:
            arms[int(rng.integers(2))] = pick(rng, ["bent", "phone", "carry"])
        return arms
    total = sum(_ARMS.values())
    shares = {name: share / total for name, share in _ARMS.items()}
    arms = [pick_weighted(rng, shares) for _ in range(2)]
    return [arms[0], arms[0]] if rng.uniform() < 0.35 else arms


def _arm(
    person: Person, stance: _Stance, side: int, name: str, chest: Array, rng: np.random.Generator
) -> Turns:
    """Bring the wrist of one arm to where it belongs; the elbow follows (two-bone inverse kinematics)."""
    figure, letter = person.figure, "L" if side > 0 else "R"
    length = figure.upper_arm + figure.forearm
    shoulder, elbow, wrist = figure.arm(letter)
    target, pole, hand = _target(figure, stance, side, name, shoulder, rng)
    if target[2] < -0.45 * length:
        # Low hands stay clear of hips, thighs and wide clothes.
        clear = figure.hip_half_width + _room_for_clothes(person) - abs(shoulder[0])
        target[0] = side * max(side * target[0], clear)
    lift = 22 * float(smoothstep(-0.1, 0.9, target[2] / length)) + 3 * rng.uniform(-1, 1)
    turns = {f"clavicle.{letter}": chest @ turn("y", -side * lift)}
    upper, fore = _bend(figure, target, pole)
    hinge = np.cross(upper, fore)
    upper_at_rest, fore_at_rest = unit(elbow - shoulder), unit(wrist - elbow)
    hinge_at_rest = unit(np.cross(upper_at_rest, fore_at_rest))
    whole = chest @ frame_of(upper, hinge) @ frame_of(upper_at_rest, hinge_at_rest).T
    swung = chest @ shortest_turn(upper_at_rest, upper)
    # The upper arm takes up its twist along its length: less at the shoulder.
    turns[f"upperarm01.{letter}"] = turn_about(rotation_vector(whole @ swung.T) * 0.45) @ swung
    turns[f"upperarm02.{letter}"] = whole
    forearm = chest @ frame_of(fore, hinge) @ frame_of(fore_at_rest, hinge_at_rest).T
    roll = chest @ fore * np.radians(side * hand + rng.uniform(-8, 8))
    turns[f"lowerarm01.{letter}"] = forearm
    turns[f"lowerarm02.{letter}"] = turn_about(roll * 0.5) @ forearm
    turns[f"wrist.{letter}"] = turn_about(roll) @ forearm @ turn("x", rng.uniform(-6, 6))
    curl = rng.uniform(8, 30) + (25 if name == "pocket" else 0)
    return turns | _fingers(figure, letter, turns[f"wrist.{letter}"], curl)


def _room_for_clothes(person: Person) -> float:
    room = 0.045
    if person.attributes.top == "jacket":
        room += 0.018
    if person.attributes.bottom in ("skirt", "shorts"):
        room += 0.015
    return room * person.figure.scale


def _target(
    figure: Figure, stance: _Stance, side: int, name: str, shoulder: Array, rng: np.random.Generator
) -> tuple[Array, Array, float]:
    """The wrist from the shoulder [3] in metres, the elbow's direction [3], the turn of the hand."""
    mirror = np.array([side, -1, 1.0])  # from (outwards, forwards, up) to x, y, z
    length = figure.upper_arm + figure.forearm
    if name in ("hip", "pocket"):
        on_hip, scale = name == "hip", figure.scale
        beside = figure.hip_half_width + (0.045 if on_hip else 0.02) * scale
        from_hip = np.array([beside, 0.01, (0.13 if on_hip else 0.05) * scale])
        hips = np.array([0, figure.head("upperleg01.L")[1], figure.hip])
        return hips + from_hip * mirror - shoulder, np.array([1.0, -0.75, 0.1]) * mirror, 25 if on_hip else 0
    if name == "swing":
        # Each arm swings with the other leg.
        swing = -np.sin(2 * np.pi * (stance.phase + (0.25 if side > 0 else 0.75)))
        up = -0.93 + 0.08 * abs(swing) + (0.08 if swing > 0 else 0)
        wrist = np.array([0.19, 0.06 + 0.30 * swing * stance.stride, up])
        return wrist * length * mirror, np.array([0.35, -1.0, 0.0]) * mirror, 0
    reach = _REACHES[name]
    play = 0.03 if name in ("chin", "hair", "phone") else 0.05
    wrist = np.array(reach.wrist) + rng.uniform(-play, play, 3)
    return wrist * length * mirror, (np.array(reach.elbow) + rng.uniform(-0.1, 0.1, 3)) * mirror, reach.hand


def _bend(figure: Figure, target: Array, pole: Array) -> tuple[Array, Array]:
    """Directions [3] of upper arm and forearm that bring the wrist to `target`, the elbow towards `pole`."""
    upper, fore = figure.upper_arm, figure.forearm
    distance = float(np.clip(np.linalg.norm(target), 0.36 * (upper + fore), 0.992 * (upper + fore)))
    direction = unit(target)
    pole = unit(pole - direction * (direction @ pole))
    cosine = np.clip((upper**2 + distance**2 - fore**2) / (2 * upper * distance), -1, 1)
    along = direction * cosine + pole * np.sqrt(1 - cosine**2)
    return along, unit(direction * distance - along * upper)


def _fingers(figure: Figure, letter: str, wrist: Array, curl: float) -> Turns:
    """A relaxed curl of the four fingers about the line of the knuckles."""
    knuckles = unit(figure.head(f"finger2-1.{letter}") - figure.head(f"finger5-1.{letter}"))
    turns, inwards = {}, -1.0 if letter == "L" else 1.0
    for finger in range(2, 6):
        angle = 0.0
        for joint in (1, 2, 3):
            angle += curl * (0.6 + 0.12 * finger) * (1.0 if joint > 1 else 0.7)
            bent = turn_about(knuckles * np.radians(angle) * inwards)
            turns[f"finger{finger}-{joint}.{letter}"] = wrist @ bent
    return turns


def _transforms(model: BodyModel, heads: Array, turns: Mapping[str, Array]) -> Array:
    """Forward kinematics: the transforms [B, 4, 4] that the rotations give; each bone hangs on its parent."""
    transforms = np.tile(np.eye(4), (len(model.bones), 1, 1))
    for index, (bone, parent) in enumerate(zip(model.bones, model.parents, strict=True)):
        above = transforms[parent] if parent >= 0 else np.eye(4)
        rotation = turns.get(bone, above[:3, :3])
        place = above[:3, :3] @ heads[index] + above[:3, 3]
        transforms[index, :3, :3], transforms[index, :3, 3] = rotation, place - rotation @ heads[index]
    return transforms
