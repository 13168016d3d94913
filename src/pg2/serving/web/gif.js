/** An animated GIF: 256 colours for all its pictures, the rest by dithering. */

const COLOURS = 256;
const BITS = 5; // of each channel, by which colours are counted and looked up
const HEADER = "GIF89a";
const CODE_LIMIT = 4096; // of LZW as GIF has it

const textOf = (text) => [...text].map((character) => character.charCodeAt(0));
const word = (value) => [value & 0xff, value >> 8];
const cellOf = (r, g, b) => ((r >> (8 - BITS)) << (2 * BITS)) | ((g >> (8 - BITS)) << BITS) | (b >> (8 - BITS));

/** How often each colour occurs, as [r, g, b, count] of each that does, a mean within its cell. */
function counted(frames) {
  const sums = new Float64Array(4 << (3 * BITS));
  for (const data of frames) {
    for (let at = 0; at < data.length; at += 4) {
      const cell = 4 * cellOf(data[at], data[at + 1], data[at + 2]);
      for (let channel = 0; channel < 3; channel += 1) sums[cell + channel] += data[at + channel];
      sums[cell + 3] += 1;
    }
  }
  const colours = [];
  for (let cell = 0; cell < sums.length; cell += 4) {
    const count = sums[cell + 3];
    if (count) colours.push([sums[cell] / count, sums[cell + 1] / count, sums[cell + 2] / count, count]);
  }
  return colours;
}

/** The channel in which a box of colours is widest, and by how much. */
function widest(box) {
  const spans = [0, 1, 2].map((channel) => {
    const values = box.map((colour) => colour[channel]);
    return Math.max(...values) - Math.min(...values);
  });
  const channel = spans.indexOf(Math.max(...spans));
  return { channel, span: spans[channel] };
}

/** Median cut: the box that spans most, weighted by its pixels, is halved until there are enough. */
function paletteOf(colours) {
  const about = (box) => {
    const { channel, span } = widest(box);
    const count = box.reduce((sum, colour) => sum + colour[3], 0);
    return { box, channel, count, urgent: box.length > 1 ? span * Math.sqrt(count) : -1 };
  };
  const boxes = [about(colours)];
  while (boxes.length < COLOURS) {
    const most = boxes.reduce((best, box, index) => (box.urgent > boxes[best].urgent ? index : best), 0);
    const { box, channel, count, urgent } = boxes[most];
    if (urgent < 0) break;
    box.sort((a, b) => a[channel] - b[channel]);
    let [half, seen] = [0, 0];
    while (half < box.length - 1 && seen < count / 2) seen += box[half++][3];
    half = Math.max(half, 1);
    boxes.splice(most, 1, about(box.slice(0, half)), about(box.slice(half)));
  }
  return boxes.map(({ box, count }) =>
    [0, 1, 2].map((channel) => Math.round(box.reduce((sum, colour) => sum + colour[channel] * colour[3], 0) / count)),
  );
}

/** Palette indices of a picture's pixels; what a colour is off by is handed on to its neighbours (Floyd-Steinberg). */
function dithered({ data, width, height }, palette, nearest) {
  const indices = new Uint8Array(width * height);
  let next = new Float32Array(3 * (width + 2));
  for (let y = 0; y < height; y += 1) {
    const here = next;
    next = new Float32Array(3 * (width + 2));
    for (let x = 0; x < width; x += 1) {
      const at = y * width + x;
      const wanted = [0, 1, 2].map((channel) =>
        Math.min(Math.max(data[4 * at + channel] + here[3 * (x + 1) + channel], 0), 255),
      );
      const index = (indices[at] = nearest(wanted));
      for (let channel = 0; channel < 3; channel += 1) {
        const off = (wanted[channel] - palette[index][channel]) / 16;
        here[3 * (x + 2) + channel] += 7 * off;
        next[3 * x + channel] += 3 * off;
        next[3 * (x + 1) + channel] += 5 * off;
        next[3 * (x + 2) + channel] += off;
      }
    }
  }
  return indices;
}

/** Looks up the palette's nearest colour, and remembers it for all colours of a cell. */
function finder(palette) {
  const known = new Int16Array(1 << (3 * BITS)).fill(-1);
  return ([r, g, b]) => {
    const cell = cellOf(r, g, b);
    if (known[cell] < 0) {
      let best = Infinity;
      for (const [index, [pr, pg, pb]] of palette.entries()) {
        const distance = (pr - r) ** 2 + (pg - g) ** 2 + (pb - b) ** 2;
        if (distance < best) [best, known[cell]] = [distance, index];
      }
    }
    return known[cell];
  };
}

/** Indices packed as GIF's LZW, in blocks of at most 255 bytes. */
function packed(indices) {
  const [clear, end] = [COLOURS, COLOURS + 1];
  const bytes = [];
  let [buffer, held, size] = [0, 0, 9];
  const put = (code) => {
    buffer |= code << held;
    for (held += size; held >= 8; held -= 8) {
      bytes.push(buffer & 0xff);
      buffer >>>= 8;
    }
  };
  let codes = new Map();
  let next = end + 1;
  put(clear);
  let prefix = indices[0];
  for (let at = 1; at < indices.length; at += 1) {
    const key = (prefix << 8) | indices[at];
    const code = codes.get(key);
    if (code !== undefined) {
      prefix = code;
      continue;
    }
    put(prefix);
    prefix = indices[at];
    if (next < CODE_LIMIT) {
      codes.set(key, next);
      if (next === 1 << size) size += 1;
      next += 1;
    } else {
      put(clear);
      [codes, next, size] = [new Map(), end + 1, 9];
    }
  }
  put(prefix);
  put(end);
  if (held) bytes.push(buffer & 0xff);
  const blocks = [8];
  for (let at = 0; at < bytes.length; at += 255) {
    const block = bytes.slice(at, at + 255);
    blocks.push(block.length, ...block);
  }
  return [...blocks, 0];
}

/**
 * @param pictures  ImageData each, all of one size
 * @param delays  milliseconds that each is shown, rounded to hundredths of a second
 * @returns Blob, a GIF that repeats for ever
 */
export function gif(pictures, delays) {
  const [{ width, height }] = pictures;
  const palette = paletteOf(counted(new Set(pictures.map(({ data }) => data))));
  const table = Array.from({ length: COLOURS }, (_, index) => palette[index] ?? [0, 0, 0]).flat();
  const nearest = finder(palette);
  const parts = [
    [...textOf(HEADER), ...word(width), ...word(height), 0xf7, 0, 0, ...table],
    [0x21, 0xff, 11, ...textOf("NETSCAPE2.0"), 3, 1, 0, 0, 0],
  ];
  const made = new Map();
  for (const [number, picture] of pictures.entries()) {
    if (!made.has(picture)) made.set(picture, packed(dithered(picture, palette, nearest)));
    // Players slow down what is shown for less than two hundredths.
    const shown = Math.max(Math.round(delays[number] / 10), 2);
    parts.push([0x21, 0xf9, 4, 0, ...word(shown), 0, 0, 0x2c, 0, 0, 0, 0, ...word(width), ...word(height), 0]);
    parts.push(made.get(picture));
  }
  parts.push([0x3b]);
  return new Blob(parts.map((part) => Uint8Array.from(part)), { type: "image/gif" });
}
