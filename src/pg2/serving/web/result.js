/** The panel of the result: the picture, the slider over it, and which of the model's pictures is shown. */

import { proportion, showBlob } from "./photo.js";

export class ResultPanel {
  #box = document.querySelector("#result-box");
  #source = document.querySelector("#source");
  #picture = document.querySelector("#picture");
  #slider = document.querySelector("#compare");
  #views = document.querySelector("#views");
  #origin = document.querySelector("#origin");
  #toggle = document.querySelector("#show-origin");
  #pictures = {};
  view = "image"; // a format of the service
  copied = false; // whether what is copied and what is invented is on show instead

  /** `onView` is told when another picture is wanted, and whether it is there already. */
  constructor(onView) {
    this.onView = onView;
    this.#slider.addEventListener("input", () => this.#slide());
    this.#slide();
    this.#toggle.addEventListener("click", () => this.choose(this.view, !this.copied));
  }

  /** The format that is on show. */
  get shown() {
    return this.copied ? "origin" : this.view;
  }

  /** A tab for the result and for each picture that the model makes on the way; with one stage that is the result. */
  offer({ stages, pictures, formats }) {
    const views = [{ name: "image", heading: "result" }, ...pictures];
    this.#views.replaceChildren(...views.map(({ name, heading }) => this.#tab(name, heading)));
    this.#views.hidden = stages === 1;
    const knows = formats.includes("origin");
    this.#origin.hidden = !knows;
    this.#mark(stages > 1 && views.some(({ name }) => name === this.view) ? this.view : "image", this.copied && knows);
  }

  choose(view, copied = false) {
    this.#mark(view, copied);
    const there = this.shown in this.#pictures;
    if (there) showBlob(this.#picture, this.#pictures[this.shown]);
    this.onView(there);
  }

  /** Show some or all pictures, as blobs by name. */
  show(pictures, size, description) {
    this.#pictures = pictures;
    if (size) proportion(this.#box, size);
    if (pictures.source) showBlob(this.#source, pictures.source);
    const picture = pictures[this.shown] ?? pictures.image;
    if (picture) showBlob(this.#picture, picture);
    this.#picture.alt = this.copied ? `${description}: blue is copied, orange is invented` : description;
    this.#box.hidden = false;
  }

  /** Whether the picture is of something that is no longer asked for. */
  dim(old) {
    this.#box.classList.toggle("old", old);
  }

  #tab(name, heading) {
    const tab = document.createElement("button");
    tab.type = "button";
    tab.dataset.view = name;
    tab.textContent = heading.charAt(0).toUpperCase() + heading.slice(1);
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", this.#box.id);
    tab.addEventListener("click", () => this.choose(name));
    tab.addEventListener("keydown", (event) => this.#key(event));
    return tab;
  }

  #mark(view, copied) {
    Object.assign(this, { view, copied });
    this.#toggle.setAttribute("aria-pressed", copied);
    this.#origin.querySelector(".legend").hidden = !copied;
    for (const tab of this.#views.children) {
      const chosen = tab.dataset.view === view;
      tab.setAttribute("aria-selected", chosen);
      tab.tabIndex = chosen ? 0 : -1;
    }
  }

  #key({ key, target }) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
    if (!step) return;
    const tabs = [...this.#views.children];
    const next = tabs.at((tabs.indexOf(target) + step) % tabs.length);
    this.choose(next.dataset.view);
    next.focus();
  }

  #slide() {
    const share = this.#slider.value;
    this.#box.style.setProperty("--share", share / 100);
    this.#box.classList.toggle("untouched", share === "0");
    this.#slider.setAttribute("aria-valuetext", `${share} % photo, ${100 - share} % result`);
  }
}
