import { Unzlib } from "fflate";
import { crc32 } from "./crc32.ts";
import { type Orientation, orientationOf } from "./exif.ts";
import { pieceBytes } from "./gzip.ts";
import { type Picture, UnreadPictureError } from "./picture.ts";

/**
 * The PNG format. Source: W3C, "Portable Network Graphics (PNG) Specification (Third Edition)".
 *
 * Of the decoders that also run in pages without waiting, none unpacks to the announced size alone, and they disagree
 * about palettes of pictures without indices and about interlaced pictures of less than 8 bits.
 */

interface Header {
  readonly width: number;
  readonly height: number;
  /** Bits a sample. */
  readonly depth: number;
  readonly colorType: number;
  /** Samples a pixel. */
  readonly channels: number;
  readonly isInterlaced: boolean;
}

interface Chunks {
  readonly header: Header;
  readonly palette: Uint8Array;
  /** Alpha of the palette's colors, or the samples of the one color that is transparent. */
  readonly transparency: Uint8Array | undefined;
  readonly data: readonly Uint8Array[];
  readonly orientation: Orientation;
}

/** Samples a pixel and allowed depths of each color type (table 8 of the specification). */
const colorTypes: Readonly<
  Record<number, { readonly channels: number; readonly depths: readonly number[] }>
> = {
  0: { channels: 1, depths: [1, 2, 4, 8, 16] },
  2: { channels: 3, depths: [8, 16] },
  3: { channels: 1, depths: [1, 2, 4, 8] },
  4: { channels: 2, depths: [8, 16] },
  6: { channels: 4, depths: [8, 16] },
};
const INDEXED = 3;

/** Where the passes of interlaced pictures begin, and how far their pixels lie apart: x, y, across, down. */
const adam7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;
const onePass = [[0, 0, 1, 1]] as const;

/**
 * Decodes a PNG file: gray or RGB, upper bits of 16, palettes looked up, alpha dropped where it is opaque. Gamma and color
 * profiles change nothing.
 * @param checkSize throws where a picture of this size is not wanted; called before memory is taken.
 * @throws when the file is damaged, or pixels are transparent.
 */
export function decodePng(
  bytes: Uint8Array,
  checkSize: (width: number, height: number) => void,
): { readonly picture: Picture; readonly orientation: Orientation } {
  const chunks = readChunks(bytes, checkSize);
  return { picture: asPicture(chunks, readSamples(chunks)), orientation: chunks.orientation };
}

function readChunks(bytes: Uint8Array, checkSize: (width: number, height: number) => void): Chunks {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let header: Header | undefined;
  let palette = new Uint8Array();
  let transparency: Uint8Array | undefined;
  let orientation: Orientation = 1;
  const data: Uint8Array[] = [];
  for (let at = 8; ; ) {
    if (at + 12 > bytes.length) throw new Error("the file ends before its last chunk");
    const length = view.getUint32(at);
    const end = at + 8 + length;
    if (end + 4 > bytes.length) throw new Error("a chunk is longer than the file");
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (crc32(bytes.subarray(at + 4, end)) !== view.getUint32(end))
      throw new Error(`the checksum of a chunk '${type}' does not match`);
    const content = bytes.subarray(at + 8, end);
    at = end + 4;
    if (header === undefined) {
      if (type !== "IHDR") throw new Error(`the first chunk is '${type}', not IHDR`);
      header = readHeader(content);
      checkSize(header.width, header.height);
    } else if (type === "PLTE") palette = Uint8Array.from(content);
    else if (type === "tRNS") transparency = content;
    else if (type === "eXIf") orientation = orientationOf(content);
    else if (type === "IDAT") data.push(content);
    else if (type === "IEND") return { header, palette, transparency, data, orientation };
    // Chunks that cannot be passed over have a capital first letter.
    else if (/^[A-Z]/.test(type)) throw new Error(`a chunk '${type}' is unknown`);
  }
}

function readHeader(content: Uint8Array): Header {
  if (content.length !== 13) throw new Error(`a header of ${content.length} bytes instead of 13`);
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  const [depth = 0, colorType = -1, compression, filters, interlace = 2] = content.subarray(8);
  const kind = colorTypes[colorType];
  if (width === 0 || height === 0) throw new Error(`a size of ${width}×${height} pixels`);
  if (!kind?.depths.includes(depth)) throw new Error(`${depth} bits of color type ${colorType}`);
  if (compression !== 0 || filters !== 0 || interlace > 1)
    throw new Error(`compression ${compression}, filters ${filters}, interlacing ${interlace}`);
  return { width, height, depth, colorType, channels: kind.channels, isInterlaced: interlace === 1 };
}

/** The samples of all pixels, row by row, as they are stored: [height, width, channels]. */
function readSamples({ header, data }: Chunks): Uint8Array | Uint16Array {
  const { width, height, depth, channels, isInterlaced } = header;
  const passes = (isInterlaced ? adam7 : onePass)
    .map(([left, top, across, down]) => {
      const columns = Math.ceil((width - left) / across);
      const rows = columns > 0 ? Math.ceil((height - top) / down) : 0;
      return {
        left,
        top,
        across,
        down,
        columns,
        rows,
        rowBytes: Math.ceil((columns * channels * depth) / 8),
      };
    })
    .filter(({ rows }) => rows > 0);
  const lines = unzip(
    data,
    passes.reduce((total, { rows, rowBytes }) => total + rows * (1 + rowBytes), 0),
  );
  const count = width * height * channels;
  const samples = depth === 16 ? new Uint16Array(count) : new Uint8Array(count);
  const pixelBytes = Math.max(1, (channels * depth) / 8);
  let at = 0;
  for (const { left, top, across, down, columns, rows, rowBytes } of passes) {
    let above: Uint8Array = new Uint8Array(rowBytes);
    for (let row = 0; row < rows; row++) {
      const line = lines.subarray(at + 1, at + 1 + rowBytes);
      unfilter(lines[at] as number, line, above, pixelBytes);
      const start = ((top + row * down) * width + left) * channels;
      if (depth === 8 && across === 1) samples.set(line, start);
      else
        unpack(line, depth, columns * channels, (place, sample) => {
          const pixel = Math.floor(place / channels);
          samples[start + pixel * across * channels + (place % channels)] = sample;
        });
      above = line;
      at += 1 + rowBytes;
    }
  }
  return samples;
}

/** Unpacks exactly so many bytes; what follows is not looked at. */
function unzip(data: readonly Uint8Array[], size: number): Uint8Array {
  const packed = data.reduce((total, chunk) => total + chunk.length, 0);
  // Deflate makes at most 1032 bytes of one.
  if (size > 1032 * packed + 1032) throw new Error(`${packed} compressed bytes for ${size}`);
  const out = new Uint8Array(size);
  let filled = 0;
  const stream = new Unzlib((chunk) => {
    out.set(chunk.subarray(0, size - filled), filled);
    filled = Math.min(size, filled + chunk.length);
  });
  for (const chunk of data)
    for (let at = 0; at < chunk.length && filled < size; at += pieceBytes)
      stream.push(chunk.subarray(at, at + pieceBytes));
  if (filled < size) throw new Error(`${filled} bytes of pixels instead of ${size}`);
  return out;
}

/** Undoes a row's filter in place (section 9.2): what was stored is the difference to a prediction. */
function unfilter(filter: number, line: Uint8Array, above: Uint8Array, pixelBytes: number): void {
  if (filter > 4) throw new Error(`a row of filter ${filter}`);
  if (filter === 0) return;
  for (let at = 0; at < line.length; at++) {
    const left = at >= pixelBytes ? (line[at - pixelBytes] as number) : 0;
    const up = above[at] as number;
    const corner = at >= pixelBytes ? (above[at - pixelBytes] as number) : 0;
    const predicted =
      filter === 1 ? left : filter === 2 ? up : filter === 3 ? (left + up) >> 1 : paeth(left, up, corner);
    line[at] = (line[at] as number) + predicted;
  }
}

/** The neighbor that is nearest to left + up − corner. */
function paeth(left: number, up: number, corner: number): number {
  const [toLeft, toUp, toCorner] = [
    Math.abs(up - corner),
    Math.abs(left - corner),
    Math.abs(left + up - 2 * corner),
  ];
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}

/** Visits the samples of a row, the first in the upper bits of its byte. */
function unpack(
  line: Uint8Array,
  depth: number,
  count: number,
  visit: (place: number, sample: number) => void,
): void {
  for (let place = 0; place < count; place++) {
    if (depth === 8) visit(place, line[place] as number);
    else if (depth === 16) visit(place, 256 * (line[2 * place] as number) + (line[2 * place + 1] as number));
    else {
      const bit = place * depth;
      visit(place, ((line[bit >> 3] as number) >> (8 - depth - (bit & 7))) & (2 ** depth - 1));
    }
  }
}

function asPicture({ header, palette, transparency }: Chunks, samples: ArrayLike<number>): Picture {
  const { width, height, depth, colorType, channels } = header;
  const pixels = width * height;
  if (colorType === INDEXED) return lookedUp(header, palette, transparency ?? new Uint8Array(), samples);
  const hasAlpha = channels === 2 || channels === 4;
  const colors = channels >= 3 ? 3 : 1;
  const opaque = 2 ** depth - 1;
  const clear = hasAlpha ? undefined : transparentColor(transparency, colors);
  const data = new Uint8Array(pixels * colors);
  for (let pixel = 0; pixel < pixels; pixel++) {
    if (hasAlpha && samples[pixel * channels + colors] !== opaque) throw new UnreadPictureError(transparent);
    let isClear = clear !== undefined;
    for (let color = 0; color < colors; color++) {
      const sample = samples[pixel * channels + color] as number;
      isClear &&= sample === clear?.[color];
      data[pixel * colors + color] = depth === 16 ? sample >> 8 : (sample * 255) / opaque;
    }
    if (isClear) throw new UnreadPictureError(transparent);
  }
  return { width, height, channels: colors, data };
}

function lookedUp(
  { width, height }: Header,
  palette: Uint8Array,
  alpha: Uint8Array,
  indices: ArrayLike<number>,
): Picture {
  const pixels = width * height;
  const data = new Uint8Array(3 * pixels);
  for (let pixel = 0; pixel < pixels; pixel++) {
    const index = indices[pixel] as number;
    if (3 * index + 2 >= palette.length)
      throw new Error(`color ${index} of a palette of ${palette.length / 3}`);
    if ((alpha[index] ?? 255) !== 255) throw new UnreadPictureError(transparent);
    data.set(palette.subarray(3 * index, 3 * index + 3), 3 * pixel);
  }
  return { width, height, channels: 3, data };
}

/** The samples of the one color that is transparent. */
function transparentColor(transparency: Uint8Array | undefined, colors: number): number[] | undefined {
  if (transparency === undefined || transparency.length < 2 * colors) return undefined;
  return Array.from(
    { length: colors },
    (_, color) => 256 * (transparency[2 * color] as number) + (transparency[2 * color + 1] as number),
  );
}

const transparent =
  "the image has transparent pixels, expected opaque ones; flatten it on a background and save it without an alpha channel";
