/**
 * Pictures, {width, height, data: RGB bytes}, and Pillow's way to scale them, to the last bit: what networks see shall
 * be what pg2 shows them.
 */

const BITS = 22; // of the weights' fixed point

const sinc = (x) => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));

/** How far a filter reaches, and its weights. */
export const BOX = { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) };
export const BILINEAR = { support: 1, weight: (x) => Math.max(1 - Math.abs(x), 0) };
export const LANCZOS = { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) };

/** As Python rounds: halves to the even neighbour. */
export function roundEven(value) {
  const low = Math.floor(value);
  const rest = value - low;
  return rest > 0.5 || (rest === 0.5 && low % 2 !== 0) ? low + 1 : low;
}

export function emptyPicture(width, height) {
  return { width, height, data: new Uint8Array(3 * width * height) };
}

/** Scale what lies between `begin` and `end` of a line of `length` to `size` pixels: where each looks, and how much. */
function weightsOf(length, begin, end, size, { support, weight }) {
  const scale = Math.fround(end - begin) / size;
  const spread = Math.max(scale, 1);
  return Array.from({ length: size }, (_, at) => {
    const centre = begin + (at + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - support * spread + 0.5), 0);
    const last = Math.min(Math.trunc(centre + support * spread + 0.5), length);
    const found = [];
    for (let x = first; x < last; x += 1) found.push(weight((x - centre + 0.5) / spread));
    const sum = found.reduce((a, b) => a + b, 0);
    const fixed = found.map((value) => Math.trunc((value / sum) * 2 ** BITS + (value < 0 ? -0.5 : 0.5)));
    return { first, weights: Int32Array.from(fixed) };
  });
}

/** One direction: `lines` lines, whose pixels are `step` bytes apart; the lines themselves are `across` apart. */
function scaleLines(from, to, looks, lines, [step, across], [newStep, newAcross]) {
  for (const [at, { first, weights }] of looks.entries()) {
    for (let line = 0; line < lines; line += 1) {
      for (let channel = 0; channel < 3; channel += 1) {
        let sum = 2 ** (BITS - 1);
        let place = first * step + line * across + channel;
        for (let k = 0; k < weights.length; k += 1, place += step) sum += from[place] * weights[k];
        to[at * newStep + line * newAcross + channel] = sum >> BITS; // clamped by the array
      }
    }
  }
}

/** A rectangle of a picture, box [left, top, right, bottom], scaled to another size. */
export function resize(picture, width, height, filter, box = [0, 0, picture.width, picture.height]) {
  const [left, top, right, bottom] = box.map(Math.fround);
  let { width: w, height: h, data } = picture;
  if (width !== w || left !== 0 || right !== w) {
    const made = new Uint8ClampedArray(3 * width * h);
    scaleLines(data, made, weightsOf(w, left, right, width, filter), h, [3, 3 * w], [3, 3 * width]);
    [data, w] = [made, width];
  }
  if (height !== h || top !== 0 || bottom !== h) {
    const made = new Uint8ClampedArray(3 * w * height);
    scaleLines(data, made, weightsOf(h, top, bottom, height, filter), w, [3 * w, 3], [3 * w, 3]);
    [data, h] = [made, height];
  }
  return { width: w, height: h, data };
}

/** Every `step`th pixel of a rectangle. */
export function thinned({ width, data }, [left, top, right, bottom], step) {
  const made = emptyPicture(Math.ceil((right - left) / step), Math.ceil((bottom - top) / step));
  let place = 0;
  for (let y = top; y < bottom; y += step) {
    for (let x = left; x < right; x += step) {
      for (let channel = 0; channel < 3; channel += 1) made.data[place++] = data[3 * (y * width + x) + channel];
    }
  }
  return made;
}

/** A picture scaled down so that its longer side is `longest`; unchanged if it already is. */
export function shrink(picture, longest) {
  const { width, height } = picture;
  const larger = Math.max(width, height);
  if (larger <= longest) return picture;
  const [w, h] = [width, height].map((side) => Math.max(roundEven((side * longest) / larger), 1));
  const step = Math.max(Math.floor(larger / (2 * longest)), 1);
  return resize(thinned(picture, [0, 0, width, height], step), w, h, BOX);
}
