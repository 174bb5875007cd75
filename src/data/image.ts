import { convertIndexedToRgb, decode as decodePng } from "fast-png";
import jpeg from "jpeg-js";

/** Pixels row by row, the channels of a pixel beside each other: [height, width, channels]. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Gray or RGB. */
  readonly channels: 1 | 3;
  readonly data: Uint8Array;
}

/** How the kinds of image files begin. */
const kinds: readonly (readonly [string, string])[] = [
  ["\x89PNG\r\n\x1a\n", "PNG"],
  ["\xff\xd8\xff", "JPEG"],
  ["GIF8", "GIF"],
  ["BM", "BMP"],
  ["RIFF", "WebP"],
  ["II*\0", "TIFF"],
  ["MM\0*", "TIFF"],
];

/**
 * Decodes a PNG or JPEG file; which of the two is decided by its content. 16-bit images keep their upper bits, palettes
 * are looked up, and an alpha channel is dropped where it is opaque.
 * @param source the file's name, for messages.
 * @throws when the file is of another kind, damaged, transparent, or of another color space than gray and RGB.
 */
export function decodeImage(bytes: Uint8Array, source: string): Picture {
  const start = String.fromCharCode(...bytes.subarray(0, 8));
  const kind = kinds.find(([beginning]) => start.startsWith(beginning))?.[1];
  if (kind !== "PNG" && kind !== "JPEG") {
    const received = bytes.length === 0 ? "empty" : kind ? `a ${kind} image` : "no image";
    throw new Error(
      `${source}: the file is ${received}, expected PNG or JPEG; convert it, or take it out of the folder`,
    );
  }
  try {
    return kind === "PNG" ? fromPng(bytes) : fromJpeg(bytes);
  } catch (cause) {
    throw new Error(`${source}: ${(cause as Error).message} (${kind} of ${bytes.length} bytes)`, { cause });
  }
}

function fromPng(bytes: Uint8Array): Picture {
  const png = damagedUnless(() => decodePng(bytes, { checkCrc: true }));
  const { width, height, depth, palette, transparency } = png;
  // A palette with alpha comes as RGBA; a transparent color of an image without alpha needs no pixel of that color.
  const looksThrough = transparency !== undefined && transparency.length > 0 && palette === undefined;
  if (looksThrough) throw new Error(transparent);
  const data = palette ? convertIndexedToRgb(png) : unpacked(png.data, depth, width, height, png.channels);
  const channels = data.length / (width * height);
  const colors = channels >= 3 ? 3 : 1;
  if (channels === colors) return { width, height, channels: colors, data };
  const kept = new Uint8Array(width * height * colors);
  for (let pixel = 0; pixel < width * height; pixel++) {
    if (data[pixel * channels + colors] !== 255) throw new Error(transparent);
    for (let color = 0; color < colors; color++)
      kept[pixel * colors + color] = data[pixel * channels + color] as number;
  }
  return { width, height, channels: colors, data: kept };
}

const transparent =
  "the image has transparent pixels, expected opaque ones; flatten it on a background and save it without an alpha channel";

/** Samples of 1, 2, 4, 8 or 16 bits as bytes, scaled to 0 … 255. Rows of less than 8 bits begin at whole bytes. */
function unpacked(
  data: ArrayLike<number>,
  depth: number,
  width: number,
  height: number,
  channels: number,
): Uint8Array {
  const count = width * height * channels;
  if (depth === 16) return Uint8Array.from({ length: count }, (_, at) => (data[at] as number) >> 8);
  if (depth === 8) return Uint8Array.from(data);
  const perByte = 8 / depth;
  const largest = 2 ** depth - 1;
  const rowBytes = Math.ceil(width / perByte);
  return Uint8Array.from({ length: count }, (_, at) => {
    const column = at % width;
    const byte = data[Math.floor(at / width) * rowBytes + Math.floor(column / perByte)] as number;
    const shift = 8 - depth * ((column % perByte) + 1);
    return (((byte >> shift) & largest) * 255) / largest;
  });
}

function fromJpeg(bytes: Uint8Array): Picture {
  const components = jpegComponents(bytes);
  if (components !== 1 && components !== 3) {
    throw new Error(
      `the image has ${components} color components, expected 1 (gray) or 3 (color); convert it to RGB`,
    );
  }
  const { width, height, data } = damagedUnless(() =>
    jpeg.decode(bytes, {
      useTArray: true,
      formatAsRGBA: false,
      tolerantDecoding: false,
      maxResolutionInMP: 200,
      maxMemoryUsageInMB: 4096,
    }),
  );
  if (components === 3) return { width, height, channels: 3, data };
  return { width, height, channels: 1, data: data.filter((_, at) => at % 3 === 0) };
}

/** The number of color components in the first frame header (ITU-T T.81, B.2.2); 0 where there is none. */
function jpegComponents(bytes: Uint8Array): number {
  for (let at = 2; at + 9 < bytes.length; ) {
    const marker = bytes[at + 1] as number;
    if (bytes[at] !== 0xff) return 0;
    if (marker === 0xff) at++;
    else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker))
      return bytes[at + 9] as number;
    else at += 2 + 256 * (bytes[at + 2] as number) + (bytes[at + 3] as number);
  }
  return 0;
}

/** The decoders throw errors of many kinds at bytes that make no sense. */
function damagedUnless<Result>(decode: () => Result): Result {
  try {
    return decode();
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`the image is truncated or damaged (${detail}); get the file again`, { cause });
  }
}
