/** The service: every request of the page goes through here. */

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

/** One of the sample photos, as a blob. */
export async function sample(name) {
  return (await request(`v1/samples/${name}`)).blob();
}

/** Everybody on a photo: {size: [height, width], people: [18 keypoints, ...]}. */
export async function findPeople(photo) {
  return (await request("v1/pose", { method: "POST", body: form({ photo }) })).json();
}

/** POST /v1/generate with these fields. A picture is a blob; with the format "json" `pictures` has all, by format. */
export async function generate(fields, signal) {
  const response = await request("v1/generate", { method: "POST", body: form(fields), signal });
  if (fields.format !== "json") return response.blob();
  const { image, pictures, source, skeleton, pose, about, timings } = await response.json();
  const named = Object.entries({ image, ...pictures, source, skeleton });
  return { pictures: Object.fromEntries(named.map(([name, text]) => [name, pngOf(text)])), pose, about, timings };
}

function pngOf(base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return new Blob([bytes], { type: "image/png" });
}

/**
 * One request at a time, and one that waits: the newest. While somebody drags, answers keep coming as fast as the
 * service gives them, and the last one is always that of the last position.
 */
export class Newest {
  #waiting = null;
  #controller = null;

  /** `onBusy` is told when requests begin to be on their way, and when none is any more. */
  constructor(onBusy) {
    this.onBusy = onBusy;
  }

  /**
   * @param work  takes an AbortSignal, gives a promise
   * @param done  takes what that gave, unless something else was asked for at once meanwhile
   * @param failed  takes the error
   * @param atOnce  whether the request on its way is of no use any more
   */
  ask(work, done, failed, { atOnce = false } = {}) {
    this.#waiting = { work, done, failed };
    if (this.#controller === null) this.#run();
    else if (atOnce) this.#controller.abort();
  }

  async #run() {
    this.onBusy(true);
    while (this.#waiting) {
      const { work, done, failed } = this.#waiting;
      this.#waiting = null;
      this.#controller = new AbortController();
      const { signal } = this.#controller;
      try {
        const answer = await work(signal);
        if (!signal.aborted) done(answer);
      } catch (error) {
        if (!signal.aborted) failed(error);
      }
    }
    this.#controller = null;
    this.onBusy(false);
  }
}

/** `work`, whose answer is null where it has been called again meanwhile. */
export function newestOf(work) {
  let last = null;
  return async (...given) => {
    const call = (last = {});
    const answer = await work(...given);
    return call === last ? answer : null;
  };
}
