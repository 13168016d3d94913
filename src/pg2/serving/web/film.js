/** A film of pictures that are shown one after the other: MP4 or WebM, whichever this browser records. */

const KINDS = [
  ["video/mp4;codecs=avc1.42E01F", "mp4"],
  ["video/mp4", "mp4"],
  ["video/webm;codecs=vp9", "webm"],
  ["video/webm", "webm"],
];
const LEAST = 256; // pixels of the shorter side: players show small films blurred
const BITS = 8_000_000; // a second

/** [type, suffix] of the films that this browser records; null: it records none. */
export function filmKind() {
  if (!("MediaRecorder" in window) || !HTMLCanvasElement.prototype.captureStream) return null;
  return KINDS.find(([type]) => MediaRecorder.isTypeSupported(type)) ?? null;
}

/**
 * Record the pictures once, in the time that they take.
 *
 * @param pictures  ImageBitmap each, all of one size
 * @param delays  milliseconds that each is shown
 * @param type  of `filmKind`
 * @param signal  AbortSignal that ends it
 * @returns Blob
 * @throws the signal's reason, or Error where the browser cannot record after all
 */
export async function film(pictures, delays, type, signal) {
  const [{ width, height }] = pictures;
  const factor = Math.max(Math.ceil(LEAST / Math.min(width, height)), 1);
  const canvas = document.createElement("canvas");
  // Encoders want even sides.
  [canvas.width, canvas.height] = [width, height].map((side) => 2 * Math.ceil((side * factor) / 2));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  const draw = (picture) => context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  draw(pictures[0]);
  const recorder = new MediaRecorder(canvas.captureStream(), { mimeType: type, videoBitsPerSecond: BITS });
  const parts = [];
  recorder.addEventListener("dataavailable", ({ data }) => parts.push(data));
  const ended = new Promise((resolve, reject) => {
    recorder.addEventListener("stop", resolve);
    recorder.addEventListener("error", () => reject(new Error("This browser could not record the film.")));
  });
  recorder.start();
  try {
    for (const [index, picture] of pictures.entries()) {
      signal.throwIfAborted();
      draw(picture);
      await new Promise((resolve) => setTimeout(resolve, delays[index]));
    }
  } finally {
    if (recorder.state !== "inactive") recorder.stop();
  }
  await ended;
  return new Blob(parts, { type: type.split(";")[0] });
}
