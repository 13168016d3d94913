/** The service: every request of the page goes through here. What the page can do without it, tab/tab.js does. */

const KEY = "pg2-api-key";

/** What the service refuses, in its own words. */
export class ApiError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** Keep the API key for as long as the tab is open. */
export function rememberKey(key) {
  sessionStorage.setItem(KEY, key);
}

export function hasKey() {
  return sessionStorage.getItem(KEY) !== null;
}

async function request(path, options = {}) {
  const key = sessionStorage.getItem(KEY);
  const headers = key === null ? {} : { "X-API-Key": key };
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("unreachable", "The service does not answer. Is pg2 serve running?");
  }
  if (!response.ok) throw await errorOf(response);
  return response;
}

async function errorOf(response) {
  try {
    const { error } = await response.json();
    return new ApiError(error.code, error.message);
  } catch {
    return new ApiError("unknown", `The service answered with status ${response.status}.`);
  }
}

function form(fields) {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value === null || value === undefined) continue;
    const plain = value instanceof Blob || typeof value === "string";
    data.append(name, plain ? value : typeof value === "number" ? `${value}` : JSON.stringify(value));
  }
  return data;
}

/** GET `v1/NAME` as JSON; waits while the service loads its models. */
export async function list(name, onWait = () => {}) {
  for (;;) {
    try {
      return await (await request(`v1/${name}`)).json();
    } catch (error) {
      if (error.code !== "not_ready") throw error;
      onWait(error.message);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

/** What lies at an address of the service, as an ArrayBuffer. */
export async function content(address) {
  return (await request(address)).arrayBuffer();
}

/** One of the sample photos, as a blob. */
export async function sample(name) {
  return (await request(`v1/samples/${name}`)).blob();
}

/** Everybody on a photo: {size: [height, width], people: [18 keypoints, ...]}. */
export async function findPeople(photo) {
  return (await request("v1/pose", { method: "POST", body: form({ photo }) })).json();
}

/** The same, and the service keeps the photo for a while, under the token `kept`. */
export async function keepPhoto(photo) {
  return (await request("v1/photos", { method: "POST", body: form({ photo }) })).json();
}

/** Let the service forget a photo now; also while the page is being left. Without this it does so by itself, later. */
export function dropPhoto(kept) {
  request(`v1/photos/${kept}`, { method: "DELETE", keepalive: true }).catch(() => {});
}

/** POST /v1/animations with these fields: {blob, frames: how many it has}. */
export async function animate(fields, signal) {
  const response = await request("v1/animations", { method: "POST", body: form(fields), signal });
  return { blob: await response.blob(), frames: Number(response.headers.get("X-Frames")) };
}

/** POST /v1/generate with these fields. A picture is a blob; with the format "json" `pictures` has all, by format. */
export async function generate(fields, signal) {
  const json = fields.format === "json";
  const response = await request("v1/generate", { method: "POST", body: form({ ...fields, origin: json || null }), signal });
  if (!json) return response.blob();
  const { image, pictures, source, skeleton, origin, pose, about, timings } = await response.json();
  const named = Object.entries({ image, ...pictures, source, skeleton, ...(origin && { origin }) });
  return { pictures: Object.fromEntries(named.map(([name, text]) => [name, pngOf(text)])), pose, about, timings };
}

function pngOf(base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return new Blob([bytes], { type: "image/png" });
}

const AT_A_TIME = 2; // while the model is at one, the next is on its way to it

/**
 * Two requests at a time, and one that waits: the newest. While somebody drags, answers keep coming as fast as the
 * service gives them, and the last one is always that of the last position.
 */
export class Newest {
  #waiting = null;
  #going = new Set(); // an AbortController each, the oldest first

  /** `onBusy` is told when requests begin to be on their way, and when none is any more. */
  constructor(onBusy) {
    this.onBusy = onBusy;
  }

  /**
   * @param work  takes an AbortSignal, gives a promise
   * @param done  takes what that gave, unless something else was asked for at once meanwhile
   * @param failed  takes the error
   * @param atOnce  whether the requests on their way are of no use any more
   */
  ask(work, done, failed, { atOnce = false } = {}) {
    this.#waiting = { work, done, failed };
    if (atOnce) this.#forget(this.#going);
    this.#next();
  }

  #forget(controllers) {
    for (const controller of controllers) {
      controller.abort();
      this.#going.delete(controller);
    }
  }

  #next() {
    if (!this.#waiting || this.#going.size >= AT_A_TIME) return;
    const asked = this.#waiting;
    this.#waiting = null;
    this.#run(asked);
  }

  async #run({ work, done, failed }) {
    const controller = new AbortController();
    this.#going.add(controller);
    this.onBusy(true);
    try {
      const answer = await work(controller.signal);
      if (!controller.signal.aborted) {
        const going = [...this.#going];
        this.#forget(going.slice(0, going.indexOf(controller))); // older ones, which would come too late
        done(answer);
      }
    } catch (error) {
      if (!controller.signal.aborted) failed(error);
    }
    this.#going.delete(controller);
    this.#next();
    if (this.#going.size === 0) this.onBusy(false);
  }
}

/** `work`, whose answer is null where it has been called again meanwhile; `unwanted` is then told of it. */
export function newestOf(work, unwanted = () => {}) {
  let last = null;
  return async (...given) => {
    const call = (last = {});
    const answer = await work(...given);
    if (call === last) return answer;
    unwanted(answer);
    return null;
  };
}
