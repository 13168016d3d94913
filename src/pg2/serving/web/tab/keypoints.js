/**
 * Keypoints: 18 times [x, y], or null where one is missing. What a photo does not show of what a pose asks for.
 * The same as pg2.pose.keypoints and pg2.pose.facing.
 */

const MIRRORED = [0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16];

const [SHOULDERS, HIPS] = [[2, 5], [8, 11]]; // right, left
const LIMBS = { face: [0, 14, 15], arms: [3, 6, 4, 7], legs: [9, 12, 10, 13], feet: [10, 13] };

export const NARROW = 0.2; // shoulders, in lengths of the trunk: seen from the side
const TOLD = 0.5; // of a limb's keypoints
const LEANING = 0.5; // cosine between trunk and upright

const FROM = { front: "from the front", side: "from the side", back: "from behind" };
const UNKNOWN = new Set(["front back", "back front", "side front", "side back"]);

/** Left and right by each other's names. */
export const swapped = (points) => MIRRORED.map((other) => points[other]);

/** [left, top, right, bottom] of the keypoints that are there, of which there must be one. */
export function boxOf(points) {
  const there = points.filter(Boolean);
  const [xs, ys] = [0, 1].map((axis) => there.map((point) => point[axis]));
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

export function areaOf(points) {
  const [left, top, right, bottom] = boxOf(points);
  return (right - left) * (bottom - top);
}

/** Keypoints scaled and moved; each is kept in 32 bits, as pg2 keeps it. */
export function affine(points, scale, offset) {
  const one = (value, axis) => Math.fround(Math.fround(value * Math.fround(scale[axis])) + Math.fround(offset[axis]));
  return points.map((point) => point && point.map(one));
}

/** The keypoints of a picture of [height, width]: those outside are missing, those at its edge lie on its last pixels. */
export function inside(points, [height, width]) {
  const last = [width - 1, height - 1];
  return points.map((point) => {
    if (!point?.every((value, axis) => value >= -0.5 && value <= last[axis] + 0.5)) return null;
    return point.map((value, axis) => Math.min(Math.max(value, 0), last[axis]));
  });
}

const middle = (points, [a, b]) => [0, 1].map((axis) => (points[a][axis] + points[b][axis]) / 2);

function trunk(points) {
  if ([...SHOULDERS, ...HIPS].some((joint) => !points[joint])) return null;
  const [from, to] = [middle(points, SHOULDERS), middle(points, HIPS)];
  return [to[0] - from[0], to[1] - from[1]];
}

/** How broad the shoulders are seen, in lengths of the trunk; below 0 from behind; null: it is not known. */
export function shoulderWidth(points) {
  const down = trunk(points);
  if (!down) return null;
  const [right, left] = SHOULDERS.map((joint) => points[joint]);
  const product = (left[0] - right[0]) * down[1] - (left[1] - right[1]) * down[0];
  return product / Math.max(down[0] ** 2 + down[1] ** 2, 1e-6);
}

function shownBy(points) {
  const width = shoulderWidth(points);
  const down = trunk(points);
  const share = (joints) => joints.filter((joint) => points[joint]).length / joints.length;
  const limbs = Object.entries(LIMBS).map(([limb, joints]) => [limb, share(joints)]);
  return {
    side: width === null ? null : Math.abs(width) < NARROW ? "side" : width > 0 ? "front" : "back",
    upright: !down || down[1] >= LEANING * Math.hypot(...down),
    some: new Set(limbs.filter(([, there]) => there > 0).map(([limb]) => limb)),
    told: new Set(limbs.filter(([, there]) => there >= TOLD).map(([limb]) => limb)),
  };
}

/** What a photo cannot tell of the picture that a pose asks for: parts of a sentence. */
export function doubts(source, target) {
  const [photo, pose] = [shownBy(source), shownBy(target)];
  const lacking = (limb) => pose.told.has(limb) && !photo.some.has(limb);
  const found = [];
  if (UNKNOWN.has(`${photo.side} ${pose.side}`)) {
    found.push(`the photo shows the person ${FROM[photo.side]}, the pose ${FROM[pose.side]}`);
  }
  if (lacking("face") && photo.side !== "back") found.push("the photo shows no face");
  if (lacking("arms")) found.push("the photo shows no arms");
  if (lacking("legs")) found.push("the photo shows no legs");
  else if (lacking("feet")) found.push("the photo shows no feet");
  for (const [shown, where] of [[photo, "on the photo"], [pose, "in the pose"]]) {
    if (!shown.upright) found.push(`the body is not upright ${where}`);
  }
  return found;
}
