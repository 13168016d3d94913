/** An animated PNG from PNG files of one size: the frames' compressed pixels are taken over as they are. */

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = CRC[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

function joined(parts) {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Whole numbers in 4 bytes each, or where given as [number, 2] in that many. */
function numbers(...values) {
  const sized = values.map((value) => (Array.isArray(value) ? value : [value, 4]));
  return Uint8Array.from(
    sized.flatMap(([value, size]) =>
      Array.from({ length: size }, (_, byte) => (value >>> (8 * (size - 1 - byte))) & 0xff),
    ),
  );
}

function chunk(type, data) {
  const body = joined([new TextEncoder().encode(type), data]);
  return joined([numbers(data.length), body, numbers(crc32(body))]);
}

/** The chunks of a PNG file as [type, data]. */
function chunksOf(file) {
  const view = new DataView(file.buffer, file.byteOffset);
  const chunks = [];
  for (let at = SIGNATURE.length; at < file.length; ) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...file.subarray(at + 4, at + 8));
    chunks.push([type, file.subarray(at + 8, at + 8 + length)]);
    at += length + 12;
  }
  return chunks;
}

function pixelsOf(file) {
  return joined(chunksOf(file).flatMap(([type, data]) => (type === "IDAT" ? [data] : [])));
}

/**
 * @param files  Uint8Array each, a PNG, all of one size and colour type
 * @param delays  milliseconds that each is shown
 * @returns Uint8Array, an APNG that repeats for ever
 */
export function apng(files, delays) {
  const header = chunksOf(files[0])[0][1];
  const [width, height] = [0, 4].map((at) => new DataView(header.buffer, header.byteOffset).getUint32(at));
  let sequence = 0;
  const frames = files.flatMap((file, number) => {
    const control = numbers(sequence++, width, height, 0, 0, [delays[number], 2], [1000, 2], [0, 1], [0, 1]);
    const pixels = pixelsOf(file);
    const data = number ? chunk("fdAT", joined([numbers(sequence++), pixels])) : chunk("IDAT", pixels);
    return [chunk("fcTL", control), data];
  });
  const begin = [Uint8Array.from(SIGNATURE), chunk("IHDR", header), chunk("acTL", numbers(files.length, 0))];
  return joined([...begin, ...frames, chunk("IEND", new Uint8Array())]);
}
