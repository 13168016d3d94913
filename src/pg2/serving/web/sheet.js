/** The contact sheet: one photo in all named poses. */

import { download } from "./download.js";
import { proportion, showBlob } from "./photo.js";
import { drawing } from "./skeleton.js";

const GAP = 8;
const CAPTION = 24;

/** A button for each named pose, with its skeleton; in the sheet the skeleton gives way to the picture. */
export function poseButtons(container, { poses, limbs }, onChoose) {
  const buttons = poses.map(({ name, size, keypoints }) => {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.pose = name;
    const caption = document.createElement("span");
    caption.textContent = name.replaceAll("-", " ");
    button.append(drawing(size, [keypoints], limbs), caption);
    button.addEventListener("click", () => onChoose(name));
    return button;
  });
  container.replaceChildren(...buttons);
  return buttons;
}

export class ContactSheet {
  #cells;
  #asked = null; // marks the newest sheet: answers to older ones are dropped
  #make = document.querySelector("#make-sheet");
  #save = document.querySelector("#save-sheet");

  /** `generate(pose, signal)` gives the picture of the photo in a named pose; `failed` takes an error. */
  constructor(skeleton, { generate, choose, failed }) {
    Object.assign(this, { skeleton, generate, choose, failed });
    this.#make.addEventListener("click", () => this.make());
    this.#save.addEventListener("click", () => this.save());
    this.clear();
  }

  /** Skeletons again: photo or model are others now. */
  clear() {
    this.#asked?.abort();
    this.#asked = null;
    this.#cells = poseButtons(document.querySelector("#sheet"), this.skeleton, (name) => this.choose(name));
    this.#save.disabled = true;
    this.#make.disabled = false;
  }

  async make() {
    this.clear();
    const asked = (this.#asked = new AbortController());
    this.#make.disabled = true;
    try {
      await Promise.all(this.#cells.map((cell) => this.#fill(cell, asked.signal)));
      if (!asked.signal.aborted) this.#save.disabled = false;
    } catch (error) {
      if (!asked.signal.aborted) this.failed(error);
      asked.abort();
    }
    if (this.#asked === asked) this.#make.disabled = false;
  }

  async #fill(cell, signal) {
    const name = cell.dataset.pose;
    const { blob, size } = await this.generate(name, signal);
    if (signal.aborted) return;
    const image = new Image();
    image.alt = "";
    proportion(image, size);
    showBlob(image, blob);
    await image.decode();
    cell.querySelector("svg")?.replaceWith(image);
  }

  save() {
    const images = this.#cells.map((cell) => cell.querySelector("img"));
    const { naturalWidth: width, naturalHeight: height } = images[0];
    const step = Math.max(width, 96) + GAP;
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [GAP + images.length * step, height + CAPTION + 2 * GAP];
    const context = canvas.getContext("2d");
    context.fillStyle = "white";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.fillStyle = "black";
    context.textAlign = "center";
    context.font = "13px system-ui, sans-serif";
    for (const [index, image] of images.entries()) {
      const middle = GAP + index * step + (step - GAP) / 2;
      context.fillText(this.#cells[index].textContent, middle, GAP + CAPTION - 9);
      context.drawImage(image, middle - width / 2, GAP + CAPTION);
    }
    canvas.toBlob((blob) => download(blob, "contact-sheet.png"));
  }
}
