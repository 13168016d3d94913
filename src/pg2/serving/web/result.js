/** The panel of the result: the picture, the slider over it, and which stage is shown. */

import { proportion, showBlob } from "./photo.js";

const VIEWS = ["image", "coarse", "difference"];

export class ResultPanel {
  #box = document.querySelector("#result-box");
  #source = document.querySelector("#source");
  #picture = document.querySelector("#picture");
  #slider = document.querySelector("#compare");
  #tabs = [...document.querySelectorAll("#views [role=tab]")];
  #pictures = {};
  view = "image"; // a format of the service

  /** `onView` is told when a picture is wanted that is not there. */
  constructor(onView) {
    this.onView = onView;
    this.#slider.addEventListener("input", () => this.#slide());
    for (const [index, tab] of this.#tabs.entries()) {
      tab.addEventListener("click", () => this.choose(VIEWS[index]));
      tab.addEventListener("keydown", (event) => this.#key(event, index));
    }
    this.#slide();
  }

  /** Which tabs make sense: a model of one stage has nothing but its picture. */
  stages(number) {
    document.querySelector("#views").hidden = number === 1;
    if (number === 1) this.#mark("image");
  }

  choose(view) {
    this.#mark(view);
    if (this.#pictures[view]) showBlob(this.#picture, this.#pictures[view]);
    else this.onView();
  }

  /** Show some or all pictures, as blobs by name. */
  show(pictures, size, description) {
    this.#pictures = pictures;
    if (size) proportion(this.#box, size);
    if (pictures.source) showBlob(this.#source, pictures.source);
    const picture = pictures[this.view] ?? pictures.image;
    if (picture) showBlob(this.#picture, picture);
    this.#picture.alt = description;
    this.#box.hidden = false;
  }

  #mark(view) {
    this.view = view;
    for (const [index, tab] of this.#tabs.entries()) {
      const chosen = VIEWS[index] === view;
      tab.setAttribute("aria-selected", chosen);
      tab.tabIndex = chosen ? 0 : -1;
    }
  }

  #key(event, index) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const next = (index + step + VIEWS.length) % VIEWS.length;
    this.choose(VIEWS[next]);
    this.#tabs[next].focus();
  }

  #slide() {
    const share = this.#slider.value;
    this.#box.style.setProperty("--share", share / 100);
    this.#box.classList.toggle("untouched", share === "0");
    this.#slider.setAttribute("aria-valuetext", `${share} % photo, ${100 - share} % result`);
  }
}
