/** The animation: from one pose to another, as APNG. */

import { apng } from "./apng.js";
import { download } from "./download.js";
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

export class Animation {
  #form = document.querySelector("#animation");
  #progress = document.querySelector("#animation-progress");
  #box = document.querySelector("#animation-box");
  #image = document.querySelector("#animation-image");
  #save = document.querySelector("#save-animation");
  #play = document.querySelector("#play-animation");
  #asked = null;
  #made = null; // {moving, still}: blobs

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
    this.#save.addEventListener("click", () => download(this.#made.moving, "animation.png"));
    this.#play.addEventListener("click", () => this.#show(this.#made.moving));
    const { frames } = this.#form.elements;
    frames.addEventListener("input", () => this.#count(frames.value));
    this.#count(frames.value);
  }

  /** Photo or model are others now. */
  clear() {
    this.#asked?.abort();
    this.#asked = null;
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
    this.#made = { moving: new Blob([bytes], { type: "image/png" }), still: new Blob([files[0]], { type: "image/png" }) };
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
