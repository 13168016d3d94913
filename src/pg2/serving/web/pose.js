/**
 * What a pose is: {size: [height, width], keypoints: 18 times [x, y] or null, name}. `name` is that of the named pose
 * which it is, or null; `from` is the pose that was put where the person of the photo stands to give this one, or null.
 * Poses are never changed, only replaced.
 */

import { areaOf } from "./tab/keypoints.js";

const round = (value) => Math.round(value * 100) / 100;
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** A pose from an answer of the service: exact, so that it gives the same picture when it is sent back. */
export function poseOf({ size, keypoints }, name = null, from = null) {
  return { size, keypoints, name, from };
}

/** A pose that is still to be put where the person of the photo stands. */
export function toBePlaced(pose) {
  return { ...pose, from: pose.from ?? pose };
}

export function sameSize(a, b) {
  return a[0] === b[0] && a[1] === b[1];
}

/** What the service takes as a pose. */
export function asField({ size, keypoints, name, from }) {
  return from ? { size, keypoints } : (name ?? { size, keypoints });
}

/** The fields by which it takes one that may have to be put in place. */
export function asFields(pose) {
  return pose.from ? { pose: asField(pose.from), in_place: true } : { pose: asField(pose) };
}

/** As OpenPose, `pg2 pose` and `pg2 generate --pose` have it. */
export function toOpenPose({ size, keypoints }) {
  const flat = keypoints.flatMap((point) => (point ? [...point, 1] : [0, 0, 0]));
  return {
    version: 1.3,
    people: [{ pose_keypoints_2d: flat }],
    canvas_height: size[0],
    canvas_width: size[1],
  };
}

const BODY_25 = [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]; // our keypoints among its 25
const FARTHEST = 1e6;

/** The largest person of an OpenPose document: {size: null where it is not known, keypoints}. */
export function fromOpenPose(text) {
  const document = readJson(text);
  if (!Array.isArray(document?.people)) throw new Error('Pose: it is not an OpenPose document: it has no list "people".');
  const people = document.people.map((person) => pointsOf(person?.pose_keypoints_2d)).filter((points) => points.some(Boolean));
  if (people.length === 0) throw new Error("Pose: the document holds no person.");
  const { canvas_height: height, canvas_width: width } = document;
  const known = [height, width].every((side) => Number.isInteger(side) && side > 0 && side < FARTHEST);
  return { size: known ? [height, width] : null, keypoints: people.reduce((a, b) => (areaOf(b) > areaOf(a) ? b : a)) };
}

function readJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error("Pose: the file is not JSON.");
  }
}

function pointsOf(flat) {
  const good = Array.isArray(flat) && [54, 75].includes(flat.length);
  if (!good || !flat.every((value) => typeof value === "number" && Math.abs(value) <= FARTHEST)) {
    throw new Error("Pose: a person needs 54 (18 points) or 75 numbers (25 points), each point as x, y, confidence.");
  }
  const points = Array.from({ length: flat.length / 3 }, (_, at) => flat.slice(3 * at, 3 * at + 3));
  const ours = points.length === 25 ? BODY_25.map((at) => points[at]) : points;
  return ours.map(([x, y, confidence]) => (confidence > 0 ? [x, y] : null));
}

/** Rounded, for it is another pose anyway, and commands with its numbers shall be readable. */
function change(pose, indices, place) {
  const keypoints = [...pose.keypoints];
  for (const index of indices) keypoints[index] = place(keypoints[index], index) ?? null;
  return poseOf({ ...pose, keypoints: keypoints.map((point) => point && point.map(round)) });
}

export function present(pose) {
  return pose.keypoints.flatMap((point, index) => (point ? [index] : []));
}

/** A joint and all that hangs on it: with the wrist itself alone, with the shoulder the whole arm. */
export function limbFrom(joint, limbs) {
  const found = [joint];
  for (const index of found) {
    for (const { start, end } of limbs) if (start === index) found.push(end);
  }
  return found;
}

/** Move these joints together; the one that is held stays in the picture. */
export function move(pose, joints, held, dx, dy) {
  const [height, width] = pose.size;
  const [x, y] = pose.keypoints[held];
  const [right, down] = [clamp(x + dx, 0, width - 1) - x, clamp(y + dy, 0, height - 1) - y];
  const there = joints.filter((joint) => pose.keypoints[joint]);
  return change(pose, there, ([px, py]) => [px + right, py + down]);
}

function centre(pose) {
  const points = pose.keypoints.filter(Boolean);
  return [0, 1].map((axis) => {
    const values = points.map((point) => point[axis]);
    return (Math.min(...values) + Math.max(...values)) / 2;
  });
}

export function scale(pose, factor) {
  const [cx, cy] = centre(pose);
  return change(pose, present(pose), ([x, y]) => [cx + (x - cx) * factor, cy + (y - cy) * factor]);
}

/** Left and right swap; the body stays where it is. */
export function mirror(pose, joints) {
  const [cx] = centre(pose);
  const all = joints.map((_, index) => index);
  const other = ({ mirrored }) => pose.keypoints[mirrored];
  return change(pose, all, (_, index) => other(joints[index]) && [2 * cx - other(joints[index])[0], other(joints[index])[1]]);
}

export function hide(pose, joint) {
  return change(pose, [joint], () => null);
}

/** Bring a joint back, at `place` or else beside the joint that it hangs on. */
export function show(pose, joint, place, limbs) {
  const [height, width] = pose.size;
  const from = limbs.find(({ end }) => end === joint)?.start;
  const [x, y] = pose.keypoints[from] ?? centre(pose);
  const point = place ?? [x + width * 0.04, y + height * 0.06];
  return change(pose, [joint], () => [clamp(point[0], 0, width - 1), clamp(point[1], 0, height - 1)]);
}

const LONGEST = 200;

/** What was done to a pose, and the way back. */
export class History {
  #poses = [];
  #at = -1;

  get now() {
    return this.#poses[this.#at] ?? null;
  }

  get canUndo() {
    return this.#at > 0;
  }

  get canRedo() {
    return this.#at < this.#poses.length - 1;
  }

  push(pose) {
    this.#poses = [...this.#poses.slice(0, this.#at + 1), pose].slice(-LONGEST);
    this.#at = this.#poses.length - 1;
  }

  /** The same step, seen otherwise: in another frame, or a little further while dragging. */
  replace(pose) {
    this.#poses[this.#at] = pose;
  }

  undo() {
    this.#at = Math.max(this.#at - 1, 0);
  }

  redo() {
    this.#at = Math.min(this.#at + 1, this.#poses.length - 1);
  }
}
