/** What the tab computes, off the page's own thread: people on photos, and pictures of them. Nothing is sent anywhere. */

import { InferenceSession, Tensor, env } from "../onnxruntime/ort.wasm.min.mjs";
import { findPeople } from "./estimator.js";
import { framedPicture, framedPose, poseInFrame, rectangleAround, scaleOf, shownOf } from "./framing.js";
import { doubts } from "./keypoints.js";
import { inPlace } from "./placing.js";

const ESTIMATOR = "estimator";
const BLURRED = 3; // pixels of the frame for one of the photo
const [COPIED_COLOUR, INVENTED_COLOUR] = [[0, 114, 178], [230, 159, 0]];

env.wasm.wasmPaths = new URL("../onnxruntime/", import.meta.url).href;
env.logLevel = "error"; // of a graph it warns of what it simplifies

const sessions = new Map(); // by the model's name
const photos = new Map(); // by token: {picture, people, sources: by model and person}
let count = 0;

class Refused extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** A photo as {width, height, data: RGB}: upright, its colours as they are stored, on white where it is transparent. */
async function decoded(blob) {
  const options = { colorSpaceConversion: "none", imageOrientation: "from-image" };
  const bitmap = await createImageBitmap(blob, options).catch(() => {
    throw new Refused("invalid", "photo: it is not a picture that this browser can read");
  });
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  return { width, height, data: channels(data, 4, 3) };
}

/** Pixels of `from` bytes each with `to` bytes; a new one is opaque. */
function channels(data, from, to) {
  const made = new Uint8ClampedArray((data.length / from) * to).fill(255);
  for (let pixel = 0; pixel * from < data.length; pixel += 1) {
    for (let channel = 0; channel < 3; channel += 1) made[pixel * to + channel] = data[pixel * from + (channel % from)];
  }
  return made;
}

async function png(data, [height, width]) {
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(new ImageData(channels(data, data.length / (height * width), 4), width, height), 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}

async function run(name, inputs) {
  const session = sessions.get(name);
  // A model has no input for what it does not look at.
  return session.run(Object.fromEntries(session.inputNames.map((input) => [input, inputs[input]])));
}

async function lookAt(pixels) {
  const [input] = sessions.get(ESTIMATOR).inputNames;
  const made = await run(ESTIMATOR, { [input]: new Tensor("int32", Int32Array.from(pixels), [1, 256, 256, 3]) });
  return Object.values(made)[0].data;
}

async function find(blob) {
  const picture = await decoded(blob);
  return { picture, size: [picture.height, picture.width], people: await findPeople(picture, lookAt) };
}

/** A person of a photo in a model's frame. */
function sourceOf({ picture, people, sources }, person, { name, frame }) {
  const key = JSON.stringify([name, person]);
  if (!sources.has(key)) {
    const size = [picture.height, picture.width];
    const rectangle = rectangleAround(people[person], size, frame);
    const framed = { picture: framedPicture(picture, rectangle, frame), pose: framedPose(people[person], rectangle, frame) };
    const shown = shownOf(rectangle, size, frame);
    sources.set(key, { ...framed, shown, enlarged: Math.max(...scaleOf(rectangle, frame)) });
  }
  return sources.get(key);
}

const tensorOf = (pose) => new Tensor("float32", Float32Array.from(pose.flatMap((point) => point ?? [NaN, NaN])), [1, 18, 2]);

/** All pictures of a person in a pose, as bytes by name, and what there is to say. */
async function draw(source, pose, { name, frame, pictures }) {
  const began = performance.now();
  const made = await run(name, {
    source: new Tensor("uint8", new Uint8Array(source.picture.data), [1, ...frame, 3]),
    source_keypoints: tensorOf(source.pose),
    target_keypoints: tensorOf(pose),
  });
  const timings = { model: performance.now() - began };
  const bytes = Object.fromEntries(["image", ...pictures.map((picture) => picture.name)].map((key) => [key, made[key].data]));
  return { bytes: { ...bytes, source: source.picture.data }, timings };
}

const sum = (values) => values.reduce((a, b) => a + b, 0);

function aboutOf({ mask, silhouette }, source, pose) {
  const parts = doubts(source.pose, pose);
  if (source.enlarged >= BLURRED) parts.push(`a pixel of the photo is ${source.enlarged.toFixed(0)} pixels of the result`);
  if (mask && silhouette) {
    const known = Math.round(100 * Math.min(sum(mask) / Math.max(sum(silhouette), 255), 1));
    parts.unshift(`${known} % of the person is copied from the photo, ${100 - known} % is invented`);
  }
  return parts.join("; ");
}

/** The result in grey, the person in blue where it is copied, in orange where it is invented. */
function originOf({ image, mask, silhouette }) {
  const made = new Uint8ClampedArray(image.length);
  for (let pixel = 0; pixel < mask.length; pixel += 1) {
    const [red, green, blue] = image.subarray(3 * pixel);
    const grey = (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16;
    const [copied, person] = [mask[pixel] / 255, silhouette[pixel] / 255];
    for (let channel = 0; channel < 3; channel += 1) {
      const tint = copied * COPIED_COLOUR[channel] + (person - copied) * INVENTED_COLOUR[channel] + (1 - person) * 255;
      made[3 * pixel + channel] = 0.5 * grey + 0.5 * tint;
    }
  }
  return made;
}

/* What the page asks for */

const answers = {
  /** Make a network ready; `file` is the content of its ONNX file. */
  async load(name, file) {
    if (!sessions.has(name)) sessions.set(name, await InferenceSession.create(file, { executionProviders: ["wasm"] }));
  },

  async findPeople(blob) {
    const { size, people } = await find(blob);
    return { size, people };
  },

  async keepPhoto(blob) {
    const { picture, size, people } = await find(blob);
    if (people.length === 0) throw new Refused("no_person", "photo: no person is seen in the picture");
    const kept = `${(count += 1)}`;
    photos.set(kept, { picture, people, sources: new Map() });
    return { size, people, kept };
  },

  async dropPhoto(kept) {
    photos.delete(kept);
  },

  /** See `generate` in api.js; `model` is an entry of GET /v1/models, `pose` has its keypoints. */
  async generate({ kept, person, model, pose, in_place: placed, format }) {
    if (!photos.has(kept)) throw new Refused("gone", "kept: this photo is not kept any more");
    const { frame } = model;
    const source = sourceOf(photos.get(kept), person, model);
    const framed = poseInFrame(pose, frame);
    const target = placed ? inPlace(framed, source.pose, frame, source.shown) : framed;
    const { bytes, timings } = await draw(source, target, model);
    if (model.formats.includes("origin") && (format === "json" || format === "origin")) bytes.origin = originOf(bytes);
    if (format !== "json") return png(bytes[format], frame);
    const pictures = {};
    for (const [name, data] of Object.entries(bytes)) pictures[name] = await png(data, frame);
    return { pictures, pose: { size: frame, keypoints: target }, about: aboutOf(bytes, source, target), timings };
  },
};

addEventListener("message", async ({ data: { id, name, given } }) => {
  try {
    postMessage({ id, answer: await answers[name](...given) });
  } catch (error) {
    postMessage({ id, error: { code: error.code ?? "invalid", message: error.message } });
  }
});
