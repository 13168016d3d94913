/** This tab in place of the service: the same questions as in api.js, answered by a worker. No photo is sent. */

import { ApiError, content } from "../api.js";
import { fromOpenPose } from "../pose.js";

const ESTIMATOR = { name: "estimator", onnx: "v1/estimator" };

export class Tab {
  #worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  #waiting = new Map(); // what waits for an answer, by its number
  #count = 0;
  #last = Promise.resolve(); // one thing at a time, so that what nobody wants any more is not begun
  #loading = new Map();
  #failure = null; // why the worker does not run

  /**
   * @param models  entries of GET /v1/models, with the addresses of their files
   * @param poses  the named ones
   * @param onLoad  told which network is being loaded, and null when it is there
   */
  constructor(models, poses, onLoad) {
    Object.assign(this, { models, poses, onLoad });
    this.#worker.addEventListener("message", ({ data: { id, answer, error } }) => {
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) reject(new ApiError(error.code, error.message));
      else resolve(answer);
    });
    this.#worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.#failure = unable(event.message);
      for (const { reject } of this.#waiting.values()) reject(this.#failure);
      this.#waiting.clear();
    });
  }

  findPeople(photo) {
    return this.#ask([ESTIMATOR], "findPeople", [photo]);
  }

  keepPhoto(photo) {
    return this.#ask([ESTIMATOR], "keepPhoto", [photo]);
  }

  dropPhoto(kept) {
    this.#post("dropPhoto", [kept]).catch(() => {});
  }

  async generate(fields, signal) {
    const model = this.models.find(({ name }) => name === fields.model);
    return this.#ask([model], "generate", [{ ...fields, model, pose: this.#pose(fields.pose) }], signal);
  }

  async animate() {
    throw new Error("The service makes animations, and would need the photo for that.");
  }

  #pose(given) {
    if (typeof given !== "string") return given;
    return this.poses.find(({ name }) => name === given) ?? fromOpenPose(given);
  }

  #ask(networks, name, given, signal) {
    const turn = this.#last.then(async () => {
      for (const network of networks) await this.#load(network);
      signal?.throwIfAborted();
      return this.#post(name, given);
    });
    this.#last = turn.catch(() => {});
    return turn;
  }

  /** Its file comes from the service, once. */
  #load({ name, onnx }) {
    if (!this.#loading.has(name)) {
      const loaded = this.#fetched(name, onnx);
      this.#loading.set(name, loaded);
      loaded.catch(() => this.#loading.delete(name)).finally(() => this.onLoad(null));
    }
    return this.#loading.get(name);
  }

  async #fetched(name, address) {
    this.onLoad(name);
    const file = new Uint8Array(await content(address));
    try {
      await this.#post("load", [name, file], [file.buffer]);
    } catch (error) {
      throw unable(error.message);
    }
  }

  #post(name, given, moved = []) {
    if (this.#failure) return Promise.reject(this.#failure);
    const id = (this.#count += 1);
    this.#worker.postMessage({ id, name, given }, moved);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }
}

function unable(reason) {
  return new ApiError("unable", `This browser cannot compute pictures in the tab (${reason || "its worker does not start"})`);
}
