/** A person, fitted into a model's frame: the same as pg2.pose.framing. Sizes and frames are [height, width]. */

import { affine, boxOf, inside } from "./keypoints.js";
import { LANCZOS, emptyPicture, resize, roundEven, shrink } from "./resample.js";

const [ABOVE, BELOW, ASIDE] = [0.12, 0.08, 0.1]; // beyond the keypoints, of their height
const SAME_ASPECT = 0.02;
const FILLED = 0.4; // of the picture
const SMALLEST = 4; // pixels

/** The rectangle [left, top, right, bottom] of a picture that becomes the frame around a person. `size` may be null. */
export function rectangleAround(points, size, frame) {
  const aspect = frame[1] / frame[0];
  let [left, top, right, bottom] = boxOf(points);
  if (size === null && Math.max(right - left, bottom - top) < SMALLEST) {
    throw new Error("the pose is smaller than 4 pixels; its keypoints must be given in pixels");
  }
  if (size !== null && (right < 0 || bottom < 0 || left >= size[1] || top >= size[0])) {
    throw new Error(`the pose lies outside its picture of ${size[0]}x${size[1]} pixels`);
  }
  if (size !== null && Math.abs(size[1] / size[0] / aspect - 1) <= SAME_ASPECT) {
    const filled = bottom - top >= FILLED * size[0] || right - left >= FILLED * size[1];
    if (filled || (size[0] === frame[0] && size[1] === frame[1])) return [0, 0, size[1], size[0]];
  }
  const tall = Math.max(bottom - top, (right - left) * 0.5, SMALLEST);
  [left, right] = [left - ASIDE * tall, right + ASIDE * tall];
  [top, bottom] = [top - ABOVE * tall, bottom + BELOW * tall];
  const high = Math.max(bottom - top, (right - left) / aspect);
  const [x, y] = [(left + right) / 2, (top + bottom) / 2];
  return [x - (high * aspect) / 2, y - high / 2, x + (high * aspect) / 2, y + high / 2];
}

/** Pixels of the frame to one of the picture, [x, y]. */
export function scaleOf([left, top, right, bottom], frame) {
  return [frame[1] / (right - left), frame[0] / (bottom - top)];
}

/** What the frame shows of a picture of `size`, and perhaps beyond: [left, top, right, bottom] in the frame. */
export function shownOf([left, top, right, bottom], [height, width], frame) {
  const [sx, sy] = scaleOf([left, top, right, bottom], frame);
  return [-left * sx, -top * sy, (width - left) * sx, (height - top) * sy];
}

/** Keypoints of the picture, in the frame. */
export function framedPose(points, rectangle, frame) {
  const scale = scaleOf(rectangle, frame);
  const offset = [0, 1].map((axis) => (0.5 - rectangle[axis]) * scale[axis] - 0.5);
  return inside(affine(points, scale, offset), frame);
}

/** Any pose in a frame: {size: null where it is not known, keypoints} -> keypoints. */
export function poseInFrame({ size, keypoints }, frame) {
  const made = framedPose(keypoints, rectangleAround(keypoints, size, frame), frame);
  if (!made.some(Boolean)) throw new Error("the target pose lies outside its picture");
  return made;
}

/** What of a picture lies in the rectangle, of the frame's size; beyond the picture its edge goes on. */
export function framedPicture(picture, rectangle, frame) {
  const [left, top] = [Math.floor(rectangle[0]), Math.floor(rectangle[1])];
  const [right, bottom] = [Math.ceil(rectangle[2]), Math.ceil(rectangle[3])];
  const { width, height } = picture;
  const cut = [Math.max(left, 0), Math.max(top, 0), Math.min(right, width), Math.min(bottom, height)];
  let part = cutOut(picture, cut, [0, 0, 0, 0]);
  let pads = [-left, -top, right - width, bottom - height].map((pad) => Math.max(pad, 0));
  let box = [rectangle[0] - left, rectangle[1] - top, rectangle[2] - left, rectangle[3] - top];
  const factor = Math.min(1, 4 * Math.max(...scaleOf(rectangle, frame)));
  if (factor < 1) {
    part = shrink(part, Math.max(roundEven(Math.max(part.width, part.height) * factor), 1));
    pads = pads.map((pad) => roundEven(pad * factor));
    box = box.map((value) => value * factor);
  }
  part = cutOut(part, [0, 0, part.width, part.height], pads);
  box = box.map((value, at) => Math.min(Math.max(value, 0), at % 2 ? part.height : part.width));
  const whole = [0, 0, frame[1], frame[0]];
  const close = box.every((value, at) => Math.abs(value - whole[at]) <= 1e-8 + 1e-5 * whole[at]);
  if (close && part.width === frame[1] && part.height === frame[0]) return part;
  return resize(part, frame[1], frame[0], LANCZOS, box);
}

/** A rectangle within a picture, with `pads` [left, top, right, bottom] around it, where its edge goes on. */
function cutOut({ width, data }, [left, top, right, bottom], pads) {
  const made = emptyPicture(right - left + pads[0] + pads[2], bottom - top + pads[1] + pads[3]);
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high - 1);
  for (let y = 0; y < made.height; y += 1) {
    const row = clamp(top + y - pads[1], top, bottom) * width;
    for (let x = 0; x < made.width; x += 1) {
      const from = 3 * (row + clamp(left + x - pads[0], left, right));
      const to = 3 * (y * made.width + x);
      for (let channel = 0; channel < 3; channel += 1) made.data[to + channel] = data[from + channel];
    }
  }
  return made;
}
