/** A pose put where a person stands, in their size: the same as pg2.pose.placing. */

import { inside } from "./keypoints.js";

const [NECK, SHOULDERS, HIPS, FACE] = [1, [2, 5], [8, 11], [0, 14, 15, 16, 17]];
const ANKLES = [10, 13];
const LEGS = [[8, 9, 10], [11, 12, 13]];
const TRUNK = [0.8, 1.25]; // how much longer or shorter it may become so that the legs are as long as the person's
const LIMBS = [[2, 3], [3, 4], [5, 6], [6, 7], [8, 9], [9, 10], [11, 12], [12, 13]];
const LENGTHS = [0.54, 0.49, 0.54, 0.49, 0.78, 0.79, 0.78, 0.79]; // of the limbs, in scales
const NECK_TO_FACE = 1 / 2.2;
const LEAN = 0.8;

function middle(points) {
  const there = points.filter(Boolean);
  return there.length ? [0, 1].map((axis) => there.reduce((sum, point) => sum + point[axis], 0) / there.length) : null;
}

const distance = (from, to) => (from && to ? Math.hypot(to[0] - from[0], to[1] - from[1]) : null);

/** Where somebody stands, null where nothing tells it, and how large they are. */
function stand(points) {
  const shoulders = SHOULDERS.map((joint) => points[joint]);
  const neck = (shoulders.every(Boolean) ? middle(shoulders) : points[NECK]) ?? middle(shoulders);
  const face = middle(FACE.map((joint) => points[joint]));
  const trunk = distance(neck, middle(HIPS.map((joint) => points[joint])));
  const head = distance(face, neck);
  const byHead = head === null ? null : head / NECK_TO_FACE;
  const byTrunk = trunk === null ? null : Math.max(trunk, LEAN * (byHead ?? 0));
  const byLimbs = LIMBS.map(([from, to], at) => (distance(points[from], points[to]) ?? 0) / LENGTHS[at]);
  return { anchor: neck ?? face, scale: Math.max(byTrunk ?? byHead ?? Math.max(...byLimbs), 1) };
}

/** The length of the longer leg, null where none is whole. */
function legOf(points) {
  const lengths = LEGS.map((leg) => leg.map((joint) => points[joint]))
    .filter((leg) => leg.every(Boolean))
    .map(([hip, knee, ankle]) => distance(hip, knee) + distance(knee, ankle));
  return lengths.length ? Math.max(...lengths) : null;
}

/** How much larger the person is. */
function growth(pose, from, person, to) {
  const [byTrunk, legs] = [to.scale / from.scale, [legOf(pose), legOf(person)]];
  if (legs.includes(null)) return byTrunk;
  const whole = (to.scale + legs[1]) / (from.scale + legs[0]);
  return Math.min(Math.max(whole, TRUNK[0] * byTrunk), TRUNK[1] * byTrunk);
}

/** The lowest ankle, or null. */
function ground(points) {
  const there = ANKLES.map((joint) => points[joint]).filter(Boolean);
  return there.length ? Math.max(...there.map(([, y]) => y)) : null;
}

/**
 * A pose with the place and the size of a person: keypoints, both in a frame [height, width].
 *
 * @param shown  [left, top, right, bottom] of the photo in that frame: keypoints beyond are missing
 */
export function inPlace(pose, person, frame, [left, top, right, bottom]) {
  const [from, to] = [stand(pose), stand(person)];
  if (!from.anchor || !to.anchor) {
    throw new Error("a pose is put in place by shoulders, neck or head; the photo or the pose has none of them");
  }
  const scale = growth(pose, from, person, to);
  const moved = pose.map((point) => point && point.map((value, axis) => (value - from.anchor[axis]) * scale + to.anchor[axis]));
  const [below, floor] = [ground(moved), ground(person)];
  const down = below === null || floor === null ? 0 : floor - below;
  const placed = moved.map((point) => {
    if (!point) return null;
    const [x, y] = [point[0], point[1] + down].map(Math.fround);
    return x >= left && y >= top && x < right && y < bottom ? [x, y] : null;
  });
  const kept = inside(placed, frame);
  if (!kept.some(Boolean)) throw new Error("nothing of the pose lies in the picture once it is where the person stands");
  return kept;
}
