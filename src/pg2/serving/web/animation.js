/** The animation: a motion, or the way between two poses, made by the service, played here, and for download. */

import { download } from "./download.js";
import { proportion, showBlob } from "./photo.js";

const BETWEEN = "between"; // two poses, where others are the names of motions

const words = (name) => name.replaceAll("-", " ");

export class Animation {
  #form = document.querySelector("#animation");
  #ends = document.querySelector("#animation-ends");
  #stage = document.querySelector("#animation-stage");
  #box = document.querySelector("#animation-box");
  #note = document.querySelector("#animation-note");
  #save = document.querySelector("#save-animation");
  #play = document.querySelector("#play-animation");
  #asked = null;
  #made = null; // {blob, size}

  /**
   * @param poses  names of poses
   * @param kinds  {motions, formats} of the service
   * @param animate  takes {motion, fps, format} and a signal; gives {blob, size, frames}
   * @param poseAbove  gives the pose above, as the service takes it
   * @param failed  takes an error
   */
  constructor(poses, { motions, formats }, { animate, poseAbove, failed }) {
    Object.assign(this, { animate, poseAbove, failed });
    const { motion, from, to, format } = this.#form.elements;
    motion.replaceChildren(...motions.map((name) => new Option(words(name), name)), new Option("between two poses", BETWEEN));
    for (const [end, chosen] of [[from, "front"], [to, ""]]) {
      const options = [["", "the pose above"], ...poses.map((name) => [name, words(name)])];
      end.replaceChildren(...options.map(([value, text]) => new Option(text, value, value === chosen, value === chosen)));
    }
    format.replaceChildren(...formats.map((name) => new Option(name === "png" ? "APNG" : name.toUpperCase(), name)));
    motion.addEventListener("change", () => (this.#ends.hidden = motion.value !== BETWEEN));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.make();
    });
    this.#save.addEventListener("click", () => download(this.#made.blob, `animation.${this.#made.suffix}`));
    this.#play.addEventListener("click", () => this.#show());
  }

  /** Photo or model are others now. */
  clear() {
    this.#asked?.abort();
    this.#asked = null;
    this.#made = null;
    URL.revokeObjectURL(this.#box.firstElementChild?.src);
    this.#box.replaceChildren();
    for (const element of [this.#box, this.#play]) element.hidden = true;
    this.#save.disabled = true;
    this.#note.textContent = "";
    this.#stage.setAttribute("aria-busy", false);
  }

  async make() {
    this.clear();
    const { signal } = (this.#asked = new AbortController());
    const { motion, from, to, fps, format } = this.#form.elements;
    this.#stage.setAttribute("aria-busy", true);
    const began = performance.now();
    try {
      const ends = () => [from, to].map((end) => end.value || this.poseAbove());
      const asked = { motion: motion.value === BETWEEN ? ends() : motion.value, fps: fps.value, format: format.value };
      const made = await this.animate(asked, signal);
      if (signal.aborted) return;
      this.#made = { ...made, suffix: asked.format };
      this.#note.textContent = `${made.frames} frames in ${((performance.now() - began) / 1000).toFixed(1)} s`;
      this.#save.disabled = false;
      if (matchMedia("(prefers-reduced-motion: reduce)").matches) this.#play.hidden = false;
      else this.#show();
    } catch (error) {
      if (!signal.aborted) this.failed(error);
    }
    if (!signal.aborted) this.#stage.setAttribute("aria-busy", false);
  }

  #show() {
    const { blob, size } = this.#made;
    const shown = document.createElement(blob.type.startsWith("video/") ? "video" : "img");
    if (shown instanceof HTMLVideoElement) Object.assign(shown, { autoplay: true, loop: true, muted: true, playsInline: true });
    else shown.alt = "The person, moving";
    showBlob(shown, blob);
    proportion(this.#box, size);
    this.#box.replaceChildren(shown);
    this.#box.hidden = false;
    this.#play.hidden = true;
  }
}
