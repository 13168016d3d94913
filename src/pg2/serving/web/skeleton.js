/** Skeletons as SVG: pictures of them, and the one that can be edited. */

import { limbFrom, move, present } from "./pose.js";

const REACH = 26; // CSS pixels around a joint within which a finger means it
const HEAD = /nose|eye|ear/; // five joints that lie close together
const FAR = 10; // what Shift makes of an arrow key's one pixel

function svg(name, attributes = {}) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

const line = ([x, y], [u, v]) => `M${x} ${y}L${u} ${v}`;
const dot = ([x, y]) => `M${x} ${y}h0`; // round line caps make a disc of it, whose size is then one on the screen

/** A drawing of poses; the first in full strength. */
export function drawing(size, poses, limbs) {
  const picture = svg("svg", { viewBox: `0 0 ${size[1]} ${size[0]}`, class: "skeleton", "aria-hidden": "true" });
  for (const [number, points] of poses.entries()) {
    const group = svg("g", number ? { class: "faint" } : {});
    for (const { start, end, colour } of limbs) {
      if (points[start] && points[end]) {
        group.append(svg("path", { d: line(points[start], points[end]), stroke: colour, class: "bone" }));
      }
    }
    for (const point of points.filter(Boolean)) group.append(svg("path", { d: dot(point), class: "dot" }));
    picture.prepend(group);
  }
  return picture;
}

/**
 * The skeleton under the pointer. It says what was done: `onEdit(pose, "begin" | "move" | "end")`; "begin" and "end"
 * come once a drag or a key.
 */
export class SkeletonEditor {
  #picture;
  #skeleton;
  #pose = null;
  #bones;
  #joints;
  #drag = null;
  selected = null;
  mode = "joint";

  constructor(picture, skeleton, { onEdit, onSelect, onHide }) {
    this.#picture = picture;
    this.#skeleton = skeleton;
    Object.assign(this, { onEdit, onSelect, onHide });
    this.#bones = skeleton.limbs.map(({ colour }) => this.#add("bone-group", { stroke: colour }));
    this.#joints = skeleton.joints.map(({ name }, joint) => this.#joint(joint, name));
    picture.addEventListener("pointerdown", (event) => this.#grab(event));
    // A finger that holds a joint does not scroll the page; elsewhere it does.
    picture.addEventListener("touchstart", (event) => this.#drag && event.preventDefault(), { passive: false });
    picture.addEventListener("pointermove", (event) => this.#pull(event));
    for (const end of ["pointerup", "pointercancel"]) {
      picture.addEventListener(end, (event) => this.#release(event));
    }
  }

  /** Show this pose. */
  render(pose) {
    this.#pose = pose;
    const [height, width] = pose.size;
    this.#picture.setAttribute("viewBox", `-0.5 -0.5 ${width} ${height}`);
    for (const [index, { start, end }] of this.#skeleton.limbs.entries()) {
      const [a, b] = [pose.keypoints[start], pose.keypoints[end]];
      this.#place(this.#bones[index], a && b && line(a, b));
    }
    for (const [joint, { name }] of this.#skeleton.joints.entries()) {
      const point = pose.keypoints[joint];
      this.#place(this.#joints[joint], point && dot(point));
      if (point) this.#joints[joint].setAttribute("aria-label", describe(name, point));
    }
    if (this.selected !== null && !pose.keypoints[this.selected]) this.#select(null);
    else this.onSelect(this.selected);
  }

  focus(joint) {
    this.#joints[joint].focus();
  }

  #add(kind, attributes) {
    const group = svg("g", { class: kind, ...attributes });
    group.append(svg("path", { class: "grip" }), svg("path", { class: "line" }));
    this.#picture.append(group);
    return group;
  }

  #joint(joint, name) {
    const group = this.#add("joint", { tabindex: "0", role: "button", "aria-roledescription": "joint", "data-joint": joint });
    const title = svg("title");
    title.textContent = name;
    group.append(title);
    group.classList.toggle("small", HEAD.test(name));
    group.addEventListener("focus", () => this.#select(joint));
    group.addEventListener("keydown", (event) => this.#key(event, joint));
    return group;
  }

  #place(group, path) {
    group.toggleAttribute("data-missing", !path);
    if (path) for (const part of group.querySelectorAll("path")) part.setAttribute("d", path);
  }

  #select(joint) {
    this.selected = joint;
    for (const [index, group] of this.#joints.entries()) group.classList.toggle("selected", index === joint);
    this.onSelect(joint);
  }

  #moved(joint, whole) {
    if (whole === "body") return present(this.#pose);
    return whole === "limb" ? limbFrom(joint, this.#skeleton.limbs) : [joint];
  }

  #at(event) {
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(
      this.#picture.getScreenCTM().inverse(),
    );
    return [x, y];
  }

  /** The joint that is meant: the nearest, for those of the head lie close together. */
  #nearest(event) {
    const [x, y] = this.#at(event);
    const unit = this.#picture.getScreenCTM().a;
    const distance = (joint) => Math.hypot(this.#pose.keypoints[joint][0] - x, this.#pose.keypoints[joint][1] - y);
    const [joint] = present(this.#pose).sort((a, b) => distance(a) - distance(b));
    return joint !== undefined && distance(joint) * unit <= REACH ? joint : null;
  }

  #grab(event) {
    if (!this.#pose || this.#drag || event.button !== 0) return;
    const joint = this.#nearest(event);
    const onBone = event.target.closest(".bone-group") !== null;
    if (joint === null && !onBone) return;
    const whole = joint === null ? "body" : event.shiftKey && this.mode === "joint" ? "limb" : this.mode;
    const held = joint ?? present(this.#pose)[0];
    this.#drag = { id: event.pointerId, from: this.#at(event), pose: this.#pose, held, joints: this.#moved(held, whole) };
    this.#picture.setPointerCapture(event.pointerId);
    if (joint !== null) this.focus(joint);
    event.preventDefault();
  }

  #pull(event) {
    if (event.pointerId !== this.#drag?.id) return;
    const { pose, joints, held, from } = this.#drag;
    const [x, y] = this.#at(event);
    const step = this.#drag.moving ? "move" : "begin";
    this.#drag.moving = true;
    this.onEdit(move(pose, joints, held, x - from[0], y - from[1]), step);
  }

  #release(event) {
    if (event.pointerId !== this.#drag?.id) return;
    const { moving } = this.#drag;
    this.#drag = null;
    if (moving) this.onEdit(this.#pose, "end");
  }

  #key(event, joint) {
    const far = event.shiftKey ? FAR : 1;
    const steps = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] };
    if (event.key in steps) {
      event.preventDefault();
      this.onEdit(move(this.#pose, this.#moved(joint, this.mode), joint, ...steps[event.key]), "begin");
      this.onEdit(this.#pose, "end");
    } else if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      this.onHide(joint);
    }
  }
}

/** "left wrist, x 20, y 40" */
export function describe(name, [x, y]) {
  return `${name}, x ${Math.round(x)}, y ${Math.round(y)}`;
}
