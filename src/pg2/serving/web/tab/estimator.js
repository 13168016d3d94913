/**
 * The people on a picture, found by MoveNet: the same looks, in the same order, as pg2.pose.estimator takes. That file
 * says why; the numbers are measured there.
 */

import { NARROW, areaOf, boxOf, inside, shoulderWidth, swapped } from "./keypoints.js";
import { BILINEAR, emptyPicture, resize, roundEven, thinned } from "./resample.js";

const COCO = [0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10]; // MoveNet's 17 among our 18
const [NECK, RIGHT_SHOULDER, LEFT_SHOULDER, FACE] = [1, 2, 5, [0, 14, 15]];

const INPUT = 256; // pixels a side that MoveNet sees
const STRIPS_FROM = 1.2;
const ROOM = 0.15;
const [POINT_SCORE, PERSON_SCORE, FEWEST_POINTS] = [0.3, 0.33, 4];
const [CLOSE, CERTAIN] = [0.8, 0.5];
const [SAMPLES, EDGE, EDGES, LINE, FLESH] = [64, 12, 0.005, 0.8, 0.12];

/**
 * The keypoints of everybody on a picture, largest first.
 * @param run  MoveNet: takes 256x256 pixels RGB, gives 17 times y, x (0 to 1) and score
 */
export async function findPeople(picture, run) {
  const { width, height } = picture;
  const peopleIn = async (windows) => {
    const first = distinct(await looks(picture, windows, run));
    const closer = [];
    for (const person of first) closer.push(await lookCloser(picture, person, run));
    return distinct(closer);
  };
  let found = await peopleIn(worth(picture, strips(height, width)));
  if (found.length === 0) found = await peopleIn(worth(picture, squares(height, width)));
  const beside = await peopleIn(worth(picture, gaps(found, height, width), roundEven(FLESH * height)));
  return distinct([...found, ...beside])
    .map(({ pose }) => inside(pose, [height, width]))
    .filter((pose) => pose.some(Boolean))
    .sort((a, b) => areaOf(b) - areaOf(a));
}

async function looks(picture, windows, run) {
  const found = [];
  for (const window of windows) found.push(await look(picture, window, run));
  return found;
}

/** What MoveNet sees in a rectangle, letterboxed to a square: {pose: keypoints, certainty, side}. */
async function look(picture, [left, top, right, bottom], run) {
  const side = Math.max(right - left, bottom - top);
  const x = left - Math.floor((side - (right - left)) / 2);
  const y = top - Math.floor((side - (bottom - top)) / 2);
  const square = emptyPicture(side, side);
  const [from, to] = [Math.max(left, 0), Math.min(right, picture.width)];
  for (let row = Math.max(top, 0); row < Math.min(bottom, picture.height); row += 1) {
    const line = picture.data.subarray(3 * (row * picture.width + from), 3 * (row * picture.width + to));
    square.data.set(line, 3 * ((row - y) * side + from - x));
  }
  const seen = await run(resize(square, INPUT, INPUT, BILINEAR).data);
  const place = (value, corner) => Math.fround(Math.fround(Math.fround(value * side) + corner) - 0.5);
  const points = new Array(18);
  const scores = new Array(18);
  for (const [at, joint] of COCO.entries()) {
    points[joint] = [place(seen[3 * at + 1], x), place(seen[3 * at], y)];
    scores[joint] = seen[3 * at + 2];
  }
  const [one, other] = [points[RIGHT_SHOULDER], points[LEFT_SHOULDER]];
  points[NECK] = [0, 1].map((axis) => Math.fround((one[axis] + other[axis]) / 2));
  scores[NECK] = Math.min(scores[RIGHT_SHOULDER], scores[LEFT_SHOULDER]);
  const best = [...scores].sort((a, b) => b - a).slice(0, 8);
  const behind = shoulderWidth(points) < -NARROW;
  const unseen = (joint) => scores[joint] < POINT_SCORE || (behind && FACE.includes(joint));
  const pose = points.map((point, joint) => (unseen(joint) ? null : point));
  return { pose, certainty: best.reduce((a, b) => a + b) / best.length, side };
}

/** Look once more, from near, where that shows more. */
async function lookCloser(picture, person, run) {
  const [left, top, right, bottom] = boxOf(person.pose);
  const half = Math.max(right - left, bottom - top, 16) * 0.625;
  const side = roundEven(2 * half);
  if (side >= CLOSE * person.side && person.certainty >= CERTAIN) return person;
  const [x, y] = [roundEven((left + right) / 2 - half), roundEven((top + bottom) / 2 - half)];
  return look(picture, [x, y, x + side, y + side], run);
}

function isPerson({ pose, certainty }) {
  return certainty >= PERSON_SCORE && pose.filter(Boolean).length >= FEWEST_POINTS;
}

function samePerson(one, other) {
  const [left, top, right, bottom] = boxOf(one);
  const near = 0.1 * Math.max(right - left, bottom - top);
  return [other, swapped(other)].some((points) => {
    const both = one.flatMap((point, joint) => (point && points[joint] ? [[point, points[joint]]] : []));
    const close = both.filter(([a, b]) => Math.hypot(a[0] - b[0], a[1] - b[1]) < near);
    return both.length > 0 && close.length / both.length >= 0.5;
  });
}

/** Of several sights of one person the most certain one. */
function distinct(sights) {
  const people = [];
  for (const sight of sights.filter(isPerson).sort((a, b) => b.certainty - a.certainty)) {
    if (!people.some((person) => samePerson(sight.pose, person.pose))) people.push(sight);
  }
  return people;
}

/* Where to look: rectangles [left, top, right, bottom] */

function strips(height, width) {
  const strip = Math.max(Math.floor(height / 2), Math.floor(width / 6));
  const count = Math.ceil((width - strip) / Math.max(Math.floor(strip / 2), 1)) + 1;
  const found = [[0, 0, width, height]];
  for (let at = 0; width > STRIPS_FROM * height && at < count; at += 1) {
    const left = roundEven((at * (width - strip)) / Math.max(count - 1, 1));
    found.push([left, 0, left + strip, height]);
  }
  return found;
}

function squares(height, width) {
  const side = Math.ceil(Math.max(height, width) / 2);
  const step = Math.max(Math.floor(side / 2), 1);
  const found = [];
  for (let top = 0; top <= Math.max(height - side, 0); top += step) {
    for (let left = 0; left <= Math.max(width - side, 0); left += step) found.push([left, top, left + side, top + side]);
  }
  return found;
}

function gaps(people, height, width) {
  const boxes = people.map(({ pose }) => boxOf(pose)).sort((a, b) => a[0] - b[0]);
  const found = [];
  let reached = 0;
  for (const [left, right] of [...boxes.map((box) => [Math.trunc(box[0]), Math.trunc(box[2])]), [width, width]]) {
    if (people.length && left - reached > ROOM * height) found.push([reached, 0, left, height]);
    reached = Math.max(reached, right);
  }
  return found;
}

/** The windows that may show a person: not plain, where it is `beside` pixels from their sides. */
function worth(picture, windows, beside = 0) {
  const { width, height } = picture;
  return windows.filter(([left, top, right, bottom]) => {
    const whole = left === 0 && top === 0 && right === width && bottom === height;
    return whole || !isPlain(picture, [left ? left + beside : 0, top, right < width ? right - beside : right, bottom]);
  });
}

function isPlain(picture, [left, top, right, bottom]) {
  if (left >= right) return false;
  const step = Math.max(Math.floor(Math.max(right - left, bottom - top) / SAMPLES), 1);
  const ends = [Math.min(right, picture.width), Math.min(bottom, picture.height)];
  const { width, height, data } = thinned(picture, [left, top, ...ends], step);
  const edge = (a, b) => [0, 1, 2].some((channel) => Math.abs(data[3 * a + channel] - data[3 * b + channel]) > EDGE);
  let count = 0;
  // Between neighbouring lines; an edge from side to side is the border of a picture, or of floor and wall.
  for (const [lines, length, across, along] of [[height, width, width, 1], [width, height, 1, width]]) {
    for (let line = 0; line + 1 < lines; line += 1) {
      let edges = 0;
      for (let at = 0; at < length; at += 1) {
        if (edge(line * across + at * along, (line + 1) * across + at * along)) edges += 1;
      }
      if (edges < LINE * length) count += edges;
    }
  }
  return count <= EDGES * width * height;
}
