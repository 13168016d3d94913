/** Photos: made smaller where that helps, and the people found on them. */

import { drawing } from "./skeleton.js";

const LONGEST = 1280; // a larger photo would only make every request slower: models see 256 pixels of it
const QUALITY = 0.95;

/**
 * @param place  what looks at it: the service (api.js), or this tab (tab/tab.js)
 * @param keep  whether pictures are to be made of it, there
 * @returns {blob, name, size: [height, width], people: [keypoints, largest person first], smaller, kept, place}
 * @throws ApiError or Error in words for the reader
 */
export async function readPhoto(file, name, place, keep = false) {
  const bitmap = await createImageBitmap(file).catch(() => null);
  const large = bitmap !== null && Math.max(bitmap.width, bitmap.height) > LONGEST;
  const blob = large ? await shrunk(bitmap) : file;
  const nobody = new Error(`Nobody was found on ${name}. Choose a photo that shows a person as a whole.`);
  const { size, people, kept } = await (keep ? place.keepPhoto(blob) : place.findPeople(blob)).catch((error) => {
    throw error.code === "no_person" ? nobody : error;
  });
  if (people.length === 0) throw nobody;
  if (bitmap === null) {
    if (kept) place.dropPhoto(kept);
    throw new Error(`This browser cannot show ${name}. Save it as JPEG, PNG or WebP.`);
  }
  return { blob, name: large ? `${name.replace(/\.\w+$/, "")}-${LONGEST}.jpg` : name, size, people, smaller: large, kept, place };
}

function shrunk(bitmap) {
  const factor = LONGEST / Math.max(bitmap.width, bitmap.height);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [bitmap.width, bitmap.height].map((side) => Math.max(Math.round(side * factor), 1));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
}

/** Give an element the proportions of a picture of this (height, width). */
export function proportion(element, [height, width]) {
  element.style.setProperty("--ratio", width / height);
}

/** Show a blob in an <img> or <video>. */
export function showBlob(image, blob) {
  const old = image.src;
  image.src = URL.createObjectURL(blob);
  if (old.startsWith("blob:")) URL.revokeObjectURL(old);
}

/** The panel of the photo: the photo, and on it the people who were found. */
export class PhotoPanel {
  #box = document.querySelector("#photo-box");
  #image = document.querySelector("#photo");
  #people = document.querySelector("#people");
  #limbs;

  constructor(limbs, onPerson) {
    this.#limbs = limbs;
    this.onPerson = onPerson;
  }

  show(photo, person) {
    proportion(this.#box, photo.size);
    showBlob(this.#image, photo.blob);
    this.#image.alt = `The photo ${photo.name}`;
    this.mark(photo, person);
  }

  /** Show who is meant. */
  mark(photo, person) {
    const others = photo.people.filter((_, index) => index !== person);
    this.#box.querySelector("svg")?.remove();
    this.#box.append(drawing(photo.size, [photo.people[person], ...others], this.#limbs));
    this.#people.hidden = photo.people.length < 2;
    const buttons = photo.people.map((_, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `Person ${index + 1}`;
      button.setAttribute("aria-pressed", index === person);
      button.addEventListener("click", () => this.onPerson(index));
      return button;
    });
    this.#people.replaceChildren(...buttons);
  }
}
