// The study in the browser: a cross, a picture for exactly the study's seconds, a mask, a question; and so on.

const CROSS = 700; // milliseconds before a picture
const BREAK_EVERY = 25; // pictures between two breaks that are offered
const AHEAD = 3; // pictures fetched and decoded before they are needed

const $ = (id) => document.getElementById(id);
const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
const frame = () => new Promise((done) => requestAnimationFrame(done));
const many = (number, thing) => `${number} ${thing}${number === 1 ? "" : "s"}`;
const once = (target, event) => new Promise((done) => target.addEventListener(event, done, { once: true }));

// ---- The server

async function api(path, body) {
  const options = body === undefined ? {} : {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  const response = await fetch(path, options);
  if (!response.ok) {
    const said = await response.json().catch(() => ({}));
    throw Object.assign(new Error(said.error?.message ?? response.statusText), { status: response.status });
  }
  return response.status === 204 ? null : response.json();
}

// Tries again, when the person says so, until it works. That the server refuses is for the caller.
async function surely(work) {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (error.status >= 400 && error.status < 500) throw error;
      const before = shown();
      $("problem-text").textContent = error.status
        ? `The computer that runs the study says: ${error.message}`
        : "The computer that runs the study does not answer.";
      show("problem");
      await once($("again"), "click");
      if (before) show(before);
    }
  }
}

// ---- What this browser remembers of the participant; without storage it lasts as long as the page

class Memory {
  #key;
  #value = {};

  constructor(study) {
    this.#key = `pg2-userstudy-${study}`;
    try {
      this.#value = JSON.parse(localStorage.getItem(this.#key)) ?? {};
    } catch { /* nothing, or no storage */ }
  }

  get token() { return this.#value.token; }

  // The last position whose picture was shown: a reload must not show it a second time.
  get seen() { return this.#value.seen ?? -1; }

  set(value) {
    this.#value = value;
    try {
      localStorage.setItem(this.#key, JSON.stringify(value));
    } catch { /* no storage */ }
  }
}

// ---- Screens

const screens = [...document.querySelectorAll("main > section")];
const shown = () => screens.find((screen) => !screen.hidden)?.id;

function show(id) {
  for (const screen of screens) screen.hidden = screen.id !== id;
  $(id).querySelector("h1, h2").focus({ preventScroll: true });
  scrollTo(0, 0);
}

function fill(values) {
  for (const [name, value] of Object.entries(values)) {
    for (const place of document.querySelectorAll(`[data-fill="${name}"]`)) place.textContent = value;
  }
}

// The space bar or Enter anywhere presses the main button of a screen.
document.addEventListener("keydown", (event) => {
  if (![" ", "Enter"].includes(event.key) || event.target.closest("button")) return;
  const main = $(shown() ?? "welcome").querySelector("button.primary");
  if (main) {
    event.preventDefault();
    if (!event.repeat) main.click();
  }
});

async function rest(title, text) {
  $("break-title").textContent = title;
  $("break-text").textContent = text;
  show("break");
  await once($("go-on"), "click");
  show("trial");
}

// ---- The pause: wished for at any time, taken before the next picture

let pause = false;

function wishPause(wish) {
  pause = wish;
  $("pause").setAttribute("aria-pressed", String(wish));
}

$("pause").addEventListener("click", () => wishPause(!pause));

// ---- Answering

let answered = null; // while a question is open: what takes its answer

function give(answer, event) {
  answered?.({ answer, time: event.timeStamp });
}

for (const answer of ["real", "generated"]) $(answer).addEventListener("click", (event) => give(answer, event));

document.addEventListener("keydown", (event) => {
  if (shown() !== "trial" || event.ctrlKey || event.metaKey || event.altKey) return;
  const answer = { arrowleft: "real", r: "real", arrowright: "generated", g: "generated" }[event.key.toLowerCase()];
  if (answer || event.repeat) event.preventDefault(); // a key held down is no answer
  if (event.repeat) return;
  if (answer) give(answer, event);
  if (event.key.toLowerCase() === "p") wishPause(!pause);
});

async function question() {
  waiting(false);
  const given = await new Promise((done) => { answered = done; });
  answered = null;
  waiting(true);
  return given;
}

function waiting(yes) {
  $("answers").classList.toggle("waiting", yes);
  for (const answer of ["real", "generated"]) $(answer).setAttribute("aria-disabled", String(yes));
}

// ---- Drawing, all on one canvas of the pictures' size

const canvas = $("picture");
const pen = canvas.getContext("2d");

function drawCross() {
  const { width, height } = canvas;
  const arm = Math.max(Math.round(height / 40), 2);
  const line = Math.max(Math.round(height / 160), 1);
  const [x, y] = [Math.round((width - line) / 2), Math.round((height - line) / 2)];
  pen.fillStyle = "#808080";
  pen.fillRect(0, 0, width, height);
  pen.fillStyle = "#ffffff";
  pen.fillRect(x - arm, y, 2 * arm + line, line);
  pen.fillRect(x, y - arm, line, 2 * arm + line);
}

// Grey grain wipes what the eye still holds of the picture, and resembles none.
function drawMask() {
  const side = Math.max(Math.round(canvas.height / 64), 2);
  for (let y = 0; y < canvas.height; y += side) {
    for (let x = 0; x < canvas.width; x += side) {
      const grey = 104 + Math.floor(Math.random() * 48);
      pen.fillStyle = `rgb(${grey} ${grey} ${grey})`;
      pen.fillRect(x, y, side, side);
    }
  }
}

// Shows a decoded picture. The first and the last frame are timed by the screen's own clock; ends early when the
// page is put out of sight. Resolves to the moment at which the picture had gone.
async function display(bitmap, milliseconds) {
  const begin = await frame();
  pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  // A frame that is due within 4 ms is the nearest one: waiting for the next would be longer off.
  let now = begin;
  let left = false;
  const leaving = once(document, "visibilitychange").then(() => { left = true; return performance.now(); });
  while (!left && now - begin < milliseconds - 4) now = await Promise.race([frame(), leaving]);
  drawMask();
  return now;
}

// ---- The course of the study

class Pictures {
  #ids;
  #found = new Map();

  constructor(ids) { this.#ids = ids; }

  // Decoded, ready to be drawn within one frame; the next ones are fetched meanwhile.
  async get(position) {
    for (const ahead of this.#ids.slice(position, position + AHEAD + 1)) {
      if (!this.#found.has(ahead)) {
        const found = this.#fetch(ahead);
        found.catch(() => this.#found.delete(ahead)); // to be tried again
        this.#found.set(ahead, found);
      }
    }
    return this.#found.get(this.#ids[position]);
  }

  drop(position) {
    this.#found.get(this.#ids[position])?.then((bitmap) => bitmap.close(), () => {});
    this.#found.delete(this.#ids[position]);
  }

  async #fetch(id) {
    const response = await fetch(`pictures/${id}.png`);
    if (!response.ok) throw Object.assign(new Error(`a picture is missing (${response.status})`), { status: 500 });
    return createImageBitmap(await response.blob());
  }
}

let interrupted = false;
document.addEventListener("visibilitychange", () => { if (document.hidden) interrupted = true; });

async function trial(study, memory, pictures, position) {
  const practice = position < study.practice;
  $("count").textContent = `${position + 1} of ${study.total}${practice ? " · practice" : ""}`;
  $("progress").value = position;
  drawCross();
  let gone = null;
  if (memory.seen < position) {
    const [bitmap] = await Promise.all([surely(() => pictures.get(position)), sleep(CROSS)]);
    while (document.hidden) await once(document, "visibilitychange");
    interrupted = false;
    memory.set({ token: memory.token, seen: position });
    gone = await display(bitmap, 1000 * study.seconds);
  } else {
    drawMask();
  }
  pictures.drop(position);
  $("status").textContent = `Picture ${position + 1} of ${study.total}: real or generated?`;
  const { answer, time } = await question();
  const milliseconds = gone === null || interrupted ? null : Math.max(Math.round(time - gone), 0);
  await surely(() => api(`api/participants/${memory.token}/answers`, { position, answer, milliseconds }));
}

async function takePart(study, memory, session) {
  const pictures = new Pictures(session.pictures);
  show("trial");
  for (let position = session.answered; position < study.total; position++) {
    const left = `${many(study.total - position, "picture")} to go.`;
    const counted = position - study.practice;
    const fresh = position === session.answered; // the person has just pressed a button
    if (counted === 0 && !fresh) {
      await rest("That was the practice", `From now on your answers count: ${left}`);
    } else if (pause) {
      await rest("Pause", `Go on whenever you like: ${left}`);
    } else if (counted > 0 && counted % BREAK_EVERY === 0 && !fresh) {
      await rest("Time for a rest?", `Go on whenever you like: ${left}`);
    }
    wishPause(false);
    await trial(study, memory, pictures, position);
  }
}

// Who is here: someone new, someone who goes on, or someone who has finished.
async function arrive(memory) {
  if (memory.token) {
    try {
      const session = await surely(() => api(`api/participants/${memory.token}`));
      if (session.result) return session;
      fill({ answered: session.answered });
      show("back");
      const pressed = await Promise.race([once($("resume"), "click"), once($("other"), "click")]);
      if (pressed.target.closest("button").id === "resume") return session;
    } catch (error) {
      if (error.status !== 404) throw error; // the answers were begun anew
    }
    memory.set({});
  }
  show("welcome");
  await once($("start"), "click");
  const { token } = await surely(() => api("api/participants", {}));
  memory.set({ token });
  return surely(() => api(`api/participants/${token}`));
}

async function main() {
  const study = await surely(() => api("api/study"));
  const minutes = Math.max(Math.round((study.total * (study.seconds + CROSS / 1000 + 1.3)) / 60), 1);
  fill({
    total: study.total,
    practice: many(study.practice, "picture"),
    seconds: many(study.seconds, "second"),
    minutes: many(minutes, "minute"),
  });
  for (const part of document.querySelectorAll("[data-if]")) part.hidden = !study[part.dataset.if];
  [canvas.width, canvas.height] = [study.width, study.height];
  $("progress").max = study.total;
  waiting(true);

  const memory = new Memory(study.id);
  for (;;) {
    let session = await arrive(memory);
    if (!session.result) {
      try {
        await takePart(study, memory, session);
      } catch (error) {
        if (![404, 409].includes(error.status)) throw error;
      }
      continue; // to the thanks; or, if another page of this browser went on meanwhile, to where that is
    }
    const { right, counted } = session.result;
    fill({ right, counted, rate: `${Math.round((100 * right) / counted)} %` });
    $("status").textContent = "";
    show("thanks");
    await once($("next"), "click");
    memory.set({});
  }
}

main().catch(async (error) => {
  $("problem-text").textContent = error.message;
  show("problem");
  await once($("again"), "click");
  location.reload();
});
