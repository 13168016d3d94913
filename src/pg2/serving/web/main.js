/** The page: what is chosen, and what happens when something else is. */

import { Animation } from "./animation.js";
import * as service from "./api.js";
import { Newest, hasKey, list, newestOf, rememberKey, sample } from "./api.js";
import { download, downloadJson } from "./download.js";
import { PhotoPanel, proportion, readPhoto, showBlob } from "./photo.js";
import { History, asField, asFields, hide, mirror, poseOf, sameSize, scale, show, toBePlaced, toOpenPose } from "./pose.js";
import { curl, fileOf, pythonLines } from "./recipe.js";
import { ResultPanel } from "./result.js";
import { ContactSheet, poseButtons } from "./sheet.js";
import { SkeletonEditor, describe } from "./skeleton.js";
import { Tab } from "./tab/tab.js";

const FIRST_POSE = "arms-raised";
const STEP = 1.05; // of the buttons that make the body larger and smaller

const $ = (selector) => document.querySelector(selector);

const history = new History();
const newest = new Newest((is) => busy("#result-panel", is));
const readNewPhoto = newestOf(async (file, name, its = place) => readPhoto(await file, name, its, true), letGo);
const readNewPose = newestOf((file) => (isJson(file) ? poseFromJson(file) : poseFromPhoto(file)));
const lastSeen = new Map(); // joint -> where it was before it was hidden
let place = service; // where photos that are chosen from now on are looked at and drawn: there, or in this tab
let tab = null; // made when it is first wanted
let models, skeleton, samples, model, photo, person, editor, photoPanel, result, sheet, animation, buttons;
let shown = null; // the request whose picture is on the page
let reading = 0; // photos that are looked at

/* Errors and progress */

function fail(error) {
  if (error.name === "AbortError") return;
  if (error.code === "unauthorized") {
    $("#key").hidden = false;
    $("#key input").focus();
    if (!hasKey()) return;
  }
  $("#error p").textContent = sentence(error.message);
  $("#error").hidden = false;
}

function sentence(text) {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}

function forgive() {
  $("#error").hidden = true;
}

function busy(panel, is) {
  $(`${panel} .stage`).setAttribute("aria-busy", is);
}

/* Asking for pictures */

/** The fields by which every request says whom it is about. */
function ofPerson() {
  if (!photo) throw new Error("Choose a photo first.");
  return { kept: photo.kept, person, model: model.name };
}

/** The picture of the photo in a pose. */
function pictureOf(pose, format, signal) {
  return withPhoto(() => photo.place.generate({ ...ofPerson(), ...asFields(pose), format }, signal));
}

/** Do `work`, which asks for something of the photo: the service, if it has let go of it meanwhile, gets it again. */
async function withPhoto(work) {
  const { kept } = ofPerson();
  try {
    return await work();
  } catch (error) {
    if (error.code !== "gone") throw error;
    if (photo.kept === kept) {
      const again = photo;
      again.sending ??= again.place.keepPhoto(again.blob).finally(() => (again.sending = null));
      again.kept = (await again.sending).kept;
    }
    return work();
  }
}

/** Ask for the picture of the pose as it is now. While somebody drags it is live: of all pictures only that on show. */
function redraw({ live = false } = {}) {
  const pose = history.now;
  if (!photo || !pose) return;
  const asked = { photo, person, pose, model };
  const began = performance.now();
  const format = live ? result.shown : "json";
  newest.ask(
    (signal) => pictureOf(pose, format, signal),
    (answer) => {
      if (live) result.show({ [format]: answer }, null, caption(asked));
      else settle(asked, answer);
      timing(performance.now() - began, answer.timings);
    },
    fail,
    { atOnce: !live },
  );
}

function settle(asked, answer) {
  forgive();
  shown = asked;
  result.show(answer.pictures, asked.model.frame, caption(asked));
  $("#save-pose").disabled = false;
  $("#about").textContent = answer.about && sentence(answer.about);
  tellWhetherOld();
  tellRecipe();
  if (history.now === asked.pose) adopt(asked.pose, answer.pose);
}

/** A result of another photo, person or model than those above is dimmed, and not for download. */
function tellWhetherOld() {
  const same = shown && shown.photo === photo && shown.person === person && shown.model === model;
  const old = reading > 0 || !same;
  result.dim(old);
  $("#save-picture").disabled = old;
  $("#save-strip").disabled = old || photo?.place !== service;
}

/** A pose that came with a canvas of its own, or was put in place, goes on as it is in the model's frame. */
function adopt(pose, framed) {
  if (!pose.from && sameSize(pose.size, model.frame)) return;
  history.replace(poseOf(framed, pose.name, pose.from));
  showPose();
}

function caption({ pose }) {
  return `The person of the photo ${pose.name ? `in the pose ${pose.name.replaceAll("-", " ")}` : "in the pose of the skeleton"}`;
}

function timing(total, timings) {
  const own = document.createElement("span");
  own.textContent = timings ? `, model ${Math.round(timings.model)} ms` : "";
  $("#timing").replaceChildren(`${Math.round(total)} ms`, own);
}

function tellRecipe() {
  const asked = {
    photo: shown.photo.name,
    person: shown.person,
    ...asFields(shown.pose),
    model: shown.model.name,
    picture: result.shown,
  };
  $("#curl").textContent = curl(asked, new URL(".", location.href).href, hasKey());
  $("#python").textContent = pythonLines(asked);
  $("#save-photo").textContent = shown.photo.name;
  $("#smaller-note").hidden = !shown.photo.smaller;
}

/* The pose */

/** A pose as it is to be shown: as it came, or where the person of the photo stands. */
const wanted = (pose) => ($("#in-place").checked ? toBePlaced(pose) : pose);

/** The pose goes to where the person stands, or back. */
function choosePlacing() {
  const pose = history.now;
  setPose(wanted(pose.from ?? pose));
  sheet.clear();
}

/** Of a person whose legs the photo does not show, the picture does not show them either, unless somebody wants that. */
function keepHalf() {
  const legs = skeleton.joints.map(({ name }, index) => (/knee|ankle/.test(name) ? photo.people[person][index] : null));
  if ($("#in-place").checked || legs.some(Boolean)) return;
  $("#in-place").checked = true;
  if (history.now) choosePlacing();
}

function setPose(pose) {
  history.push(pose);
  showPose();
  redraw();
}

/** Show the pose; one that is not in the model's frame yet is shown when the answer brings it there. */
function showPose() {
  const pose = history.now;
  $("#undo").disabled = !history.canUndo;
  $("#redo").disabled = !history.canRedo;
  for (const button of buttons) button.setAttribute("aria-pressed", button.dataset.pose === pose.name);
  if (!sameSize(pose.size, model.frame)) return;
  editor.render(pose);
  proportion($("#editor").parentElement, pose.size);
  pose.keypoints.forEach((point, joint) => point && lastSeen.set(joint, point));
  const missing = skeleton.joints.flatMap((joint, index) => (pose.keypoints[index] ? [] : [[joint.name, index]]));
  $("#hidden").hidden = missing.length === 0;
  $("#hidden").replaceChildren(...missing.map(([name, joint]) => showButton(name, joint)));
}

function showButton(name, joint) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "chip";
  button.textContent = `+ ${name}`;
  button.title = `Show the ${name}`;
  button.addEventListener("click", () => {
    setPose(show(history.now, joint, lastSeen.get(joint), skeleton.limbs));
    editor.focus(joint);
  });
  return button;
}

function edit(pose, step) {
  if (step === "begin") history.push(pose);
  else history.replace(pose);
  showPose();
  redraw({ live: step !== "end" });
}

function hideJoint(joint) {
  const pose = hide(history.now, joint);
  if (pose.keypoints.every((point) => point === null)) return fail(new Error("A pose needs one joint at least."));
  setPose(pose);
  editor.focus(pose.keypoints.findIndex(Boolean));
}

function tellJoint(joint) {
  const point = joint === null ? null : history.now.keypoints[joint];
  $("#joint").textContent = point ? describe(skeleton.joints[joint].name, point) : "drag a joint";
  $("#hide").disabled = !point;
}

function step(back) {
  if (back) history.undo();
  else history.redo();
  showPose();
  redraw();
}

function namedPose(name) {
  setPose(wanted(poseOf(skeleton.poses.find((pose) => pose.name === name), name)));
}

async function poseFromFile(file) {
  try {
    forgive();
    busy("#pose-panel", true);
    const pose = await readNewPose(file);
    if (!pose) return;
    setPose(wanted(pose));
  } catch (error) {
    fail(error);
  }
  busy("#pose-panel", false);
}

const isJson = (file) => file.type === "application/json" || /\.json$/i.test(file.name);

async function poseFromPhoto(file) {
  const { size, people } = await readPhoto(file, file.name, place);
  return poseOf({ size, keypoints: people[0] });
}

/** OpenPose's files are read where pictures are drawn; that needs a photo, and gives the pose in the model's frame. */
async function poseFromJson(file) {
  const document = await file.text();
  const answer = await withPhoto(() => photo.place.generate({ ...ofPerson(), pose: document, format: "json" }));
  return poseOf(answer.pose);
}

/* Photo and model */

function letGo({ place: its, kept }) {
  its.dropPhoto(kept);
}

/** Compute in this tab or at the service from now on. A photo that was chosen for the tab alone is never sent. */
async function choosePlace(inTab) {
  tellPlace(inTab);
  if (inTab && photo) await setPhoto(photo.blob, photo.name);
  else await useSample(samples[0].name);
}

function tellPlace(inTab) {
  if (inTab) tab ??= new Tab(models, skeleton.poses, (name) => wait(name ? `loading the ${name} into this tab` : ""));
  place = inTab ? tab : service;
  $("#make-animation").disabled = inTab;
  for (const text of document.querySelectorAll("[data-place]")) text.hidden = (text.dataset.place === "tab") !== inTab;
}

/** @param file  the photo, or a promise of it: the page is busy while a sample is on its way, too */
async function setPhoto(file, name) {
  try {
    forgive();
    busy("#photo-panel", true);
    reading += 1;
    tellWhetherOld();
    const read = await readNewPhoto(file, name);
    if (!read) return;
    if (photo) letGo(photo);
    photo = read;
    person = 0;
    photoPanel.show(photo, person);
    keepHalf();
    for (const button of $("#samples").children) button.setAttribute("aria-pressed", `${button.dataset.sample}.jpg` === name);
    startAnew();
  } catch (error) {
    fail(error);
  } finally {
    reading -= 1;
    tellWhetherOld();
    busy("#photo-panel", reading > 0);
  }
}

function setPerson(index) {
  person = index;
  photoPanel.mark(photo, person);
  keepHalf();
  startAnew();
}

function setModel(name) {
  model = models.find((candidate) => candidate.name === name);
  $("#model").value = name;
  result.offer(model);
  if (history.now) showPose();
  startAnew();
}

function startAnew() {
  sheet?.clear();
  animation?.clear();
  tellWhetherOld();
  redraw();
}

function fillModels() {
  const short = (name) => name.split("/").slice(-2).join("/");
  const options = models.map(({ name, frame }) => new Option(`${short(name)} · ${frame[0]}x${frame[1]}`, name));
  $("#model").replaceChildren(...options);
  $("#model").disabled = false;
}

async function fillSamples() {
  const choices = samples.map(({ name }) => {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.sample = name;
    button.setAttribute("aria-pressed", `${name}.jpg` === photo?.name);
    button.setAttribute("aria-label", `Sample ${Number(name) + 1}`);
    button.addEventListener("click", () => useSample(name));
    return button;
  });
  $("#samples").replaceChildren(...choices);
  await Promise.all(
    choices.map(async (button) => {
      const image = new Image();
      image.alt = "";
      showBlob(image, await sample(button.dataset.sample));
      button.append(image);
    }),
  );
}

function useSample(name) {
  return setPhoto(sample(name), `${name}.jpg`);
}

/* The whole */

function listen() {
  $("#model").addEventListener("change", (event) => setModel(event.target.value));
  $("#in-tab input").addEventListener("change", (event) => choosePlace(event.target.checked));
  $("#error button").addEventListener("click", forgive);
  $("#in-place").addEventListener("change", choosePlacing);
  onFile("#photo-file", (file) => setPhoto(file, file.name));
  onFile("#pose-file", poseFromFile);
  $("#undo").addEventListener("click", () => step(true));
  $("#redo").addEventListener("click", () => step(false));
  $("#hide").addEventListener("click", () => hideJoint(editor.selected));
  $("#mirror").addEventListener("click", () => setPose(mirror(history.now, skeleton.joints)));
  $("#smaller").addEventListener("click", () => setPose(scale(history.now, 1 / STEP)));
  $("#larger").addEventListener("click", () => setPose(scale(history.now, STEP)));
  $("#save-picture").addEventListener("click", () => save(result.shown, fileOf(result.shown)));
  $("#save-strip").addEventListener("click", () => save("strip", "strip.png"));
  $("#save-pose").addEventListener("click", () => downloadJson(toOpenPose(history.now), "pose.json"));
  $("#save-photo").addEventListener("click", () => download(shown.photo.blob, shown.photo.name));
  for (const button of document.querySelectorAll("[data-mode]")) button.addEventListener("click", () => setMode(button));
  for (const button of document.querySelectorAll("[data-copy]")) button.addEventListener("click", () => copy(button));
  document.addEventListener("keydown", onKey);
  addEventListener("pagehide", () => photo && letGo(photo));
  acceptDrops();
}

function onFile(selector, use) {
  $(selector).addEventListener("change", ({ target }) => {
    const [file] = target.files;
    target.value = ""; // so that the same file can be chosen again
    if (file) use(file);
  });
}

async function save(format, name) {
  try {
    download(await pictureOf(history.now, format), name);
  } catch (error) {
    fail(error);
  }
}

function setMode(chosen) {
  editor.mode = chosen.dataset.mode;
  for (const button of document.querySelectorAll("[data-mode]")) button.setAttribute("aria-pressed", button === chosen);
}

async function copy(button) {
  const text = $(`#${button.dataset.copy}`);
  try {
    await navigator.clipboard.writeText(text.textContent);
    $("#status").textContent = button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  } catch {
    // Browsers give the clipboard to secure addresses alone; elsewhere the reader presses Ctrl+C.
    getSelection().selectAllChildren(text);
  }
}

function onKey(event) {
  if (!(event.ctrlKey || event.metaKey) || event.altKey || event.target.matches("input:not([type=range])")) return;
  const key = event.key.toLowerCase();
  if (key !== "z" && key !== "y") return;
  event.preventDefault();
  const back = key === "z" && !event.shiftKey;
  if (back ? history.canUndo : history.canRedo) step(back);
}

function acceptDrops() {
  const panel = $("#pose-panel");
  const mark = (event) => {
    for (const section of ["#photo-panel", "#pose-panel"]) {
      const here = event.type === "dragover" && (section === "#pose-panel") === panel.contains(event.target);
      $(section).classList.toggle("dropping", here);
    }
  };
  for (const type of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(type, (event) => {
      event.preventDefault();
      mark(event);
    });
  }
  document.addEventListener("drop", (event) => {
    const [file] = event.dataTransfer.files;
    if (!file) return;
    if (panel.contains(event.target) || isJson(file)) poseFromFile(file);
    else setPhoto(file, file.name);
  });
}

async function pictureFor(name, signal) {
  const { frame } = model;
  return { blob: await pictureOf(wanted({ name }), "image", signal), size: frame };
}

async function animationOf(asked, signal) {
  const { frame } = model;
  return { ...(await withPhoto(() => photo.place.animate({ ...ofPerson(), ...asked }, signal))), size: frame };
}

function wait(message) {
  $("#timing").textContent = message && sentence(message);
}

async function open() {
  ({ models } = await list("models", wait));
  const [poses, motions, photos] = await Promise.all([list("poses"), list("motions"), list("samples")]);
  skeleton = poses;
  ({ samples } = photos);
  $("#timing").textContent = "";
  editor = new SkeletonEditor($("#editor"), skeleton, { onEdit: edit, onSelect: tellJoint, onHide: hideJoint });
  photoPanel = new PhotoPanel(skeleton.limbs, setPerson);
  result = new ResultPanel((there) => (there && shown ? tellRecipe() : redraw()));
  buttons = poseButtons($("#poses"), skeleton, namedPose);
  sheet = new ContactSheet(skeleton, { generate: pictureFor, choose: namedPose, failed: fail });
  animation = new Animation(skeleton.poses.map(({ name }) => name), motions, {
    animate: animationOf,
    poseAbove: () => asField(history.now),
    failed: fail,
  });
  fillModels();
  const inTab = models.every(({ onnx }) => onnx !== null);
  $("#in-tab").hidden = !inTab;
  tellPlace(inTab);
  setModel(models[0].name); // the default of the service comes first
  namedPose(FIRST_POSE);
  listen();
  $("#recipe").open = matchMedia("(min-width: 901px)").matches;
  await useSample(samples[0].name);
  await fillSamples();
}

function start() {
  open().catch(fail);
}

$("#key").addEventListener("submit", (event) => {
  event.preventDefault();
  rememberKey($("#key input").value);
  $("#key").hidden = true;
  forgive();
  start();
});
start();
