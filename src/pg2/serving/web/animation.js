/** The animation: from one pose to another, as APNG, GIF or film. */

import { apng } from "./apng.js";
import { download } from "./download.js";
import { film, filmKind } from "./film.js";
import { gif } from "./gif.js";
import { proportion, showBlob } from "./photo.js";
import { between } from "./pose.js";

const AT_A_TIME = 4; // requests on their way: enough for the service to answer them together
const HOLD = 3; // the ends are shown so many times as long

/** `work` on each item, a few at a time; results in order. */
async function inParallel(items, work) {
  const results = [];
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index], index);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
  return results;
}

function pixelsOf(bitmap) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

export class Animation {
  #form = document.querySelector("#animation");
  #progress = document.querySelector("#animation-progress");
  #box = document.querySelector("#animation-box");
  #image = document.querySelector("#animation-image");
  #save = document.querySelector("#save-animation");
  #play = document.querySelector("#play-animation");
  #asked = null;
  #made = null; // {moving, still}: blobs; files: of each picture once; order, delays: of those shown

  /**
   * @param names  of the named poses
   * @param fit  takes a name, or "" for the pose above, and a signal; gives that pose in the model's frame
   * @param generate  takes a pose and a signal; gives the picture
   * @param failed  takes an error
   */
  constructor(names, { fit, generate, failed }) {
    Object.assign(this, { fit, generate, failed });
    for (const [id, chosen] of [["from", "front"], ["to", ""]]) {
      const options = [["", "the pose above"], ...names.map((name) => [name, name.replaceAll("-", " ")])];
      this.#form.elements[id].replaceChildren(
        ...options.map(([value, text]) => new Option(text, value, value === chosen, value === chosen)),
      );
    }
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.make();
    });
    const recorded = filmKind();
    if (recorded) this.#form.elements.kind.append(new Option(recorded[1] === "mp4" ? "MP4" : "WebM", "film"));
    this.#save.addEventListener("click", () => this.save());
    this.#play.addEventListener("click", () => this.#show(this.#made.moving));
    const { frames } = this.#form.elements;
    frames.addEventListener("input", () => this.#count(frames.value));
    this.#count(frames.value);
  }

  /** Photo or model are others now. */
  clear() {
    this.#asked?.abort();
    this.#asked = null;
    this.#made = null;
    this.#box.hidden = true;
    this.#progress.hidden = true;
    this.#save.disabled = true;
    this.#play.hidden = true;
  }

  async make() {
    this.clear();
    const asked = (this.#asked = new AbortController());
    this.#progress.hidden = false;
    this.#progress.value = 0;
    try {
      const files = await this.#frames(asked.signal);
      if (!asked.signal.aborted) this.#finish(files);
    } catch (error) {
      if (!asked.signal.aborted) this.failed(error);
      asked.abort();
    }
    if (this.#asked === asked) this.#progress.hidden = true;
  }

  /** Download it as the kind that is chosen; a film takes as long to be recorded as to be seen. */
  async save() {
    const asked = this.#asked;
    const { kind } = this.#form.elements;
    this.#save.disabled = true;
    try {
      const [blob, suffix] = await this.#as(kind.value, asked.signal);
      if (!asked.signal.aborted) download(blob, `animation.${suffix}`);
    } catch (error) {
      if (!asked.signal.aborted) this.failed(error);
    }
    if (this.#asked === asked) this.#save.disabled = false;
  }

  async #as(kind, signal) {
    const { moving, files, order, delays } = this.#made;
    if (kind === "apng") return [moving, "png"];
    const bitmaps = await Promise.all(files.map((file) => createImageBitmap(new Blob([file], { type: "image/png" }))));
    if (kind === "film") {
      const [type, suffix] = filmKind();
      return [await film(order.map((index) => bitmaps[index]), delays, type, signal), suffix];
    }
    const pictures = bitmaps.map(pixelsOf);
    return [gif(order.map((index) => pictures[index]), delays), "gif"];
  }

  #count(frames) {
    document.querySelector("#frames-value").textContent = frames;
  }

  async #frames(signal) {
    const { from, to, frames } = this.#form.elements;
    const count = Number(frames.value);
    const ends = await Promise.all([from, to].map((end) => this.fit(end.value, signal)));
    proportion(this.#box, ends[0].size);
    const poses = Array.from({ length: count }, (_, index) => between(...ends, index / (count - 1)));
    let done = 0;
    return inParallel(poses, async (pose) => {
      signal.throwIfAborted();
      const file = new Uint8Array(await (await this.generate(pose, signal)).arrayBuffer());
      done += 1;
      this.#progress.value = done / count;
      return file;
    });
  }

  #finish(files) {
    const { back, duration } = this.#form.elements;
    const there = files.map((_, index) => index);
    const order = back.checked ? [...there, ...there.slice(1, -1).reverse()] : there;
    const step = (Number(duration.value) * 1000) / files.length;
    const ends = new Set([0, files.length - 1]);
    const delays = order.map((index) => Math.round(ends.has(index) ? step * HOLD : step));
    const bytes = apng(order.map((index) => files[index]), delays);
    const [moving, still] = [bytes, files[0]].map((content) => new Blob([content], { type: "image/png" }));
    this.#made = { moving, still, files, order, delays };
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.#show(calm ? this.#made.still : this.#made.moving);
    this.#play.hidden = !calm;
    this.#box.hidden = false;
    this.#save.disabled = false;
  }

  #show(blob) {
    showBlob(this.#image, blob);
    this.#play.hidden = blob === this.#made.moving;
  }
}
