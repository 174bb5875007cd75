import { defaultLimits, howToRaise, type Limits, limitsWith } from "../limits/limits.ts";
import type { Orientation } from "./exif.ts";
import { kindOfFile } from "./file-kinds.ts";
import { decodeJpeg } from "./jpeg.ts";
import { type Picture, UnreadPictureError } from "./picture.ts";
import { decodePng } from "./png.ts";

export type { Picture } from "./picture.ts";

export interface DecodeImageOptions {
  /** Leaves pictures as they are stored, whatever EXIF says about how the camera was held. */
  readonly ignoreOrientation?: boolean;
  /** What the file may ask for. */
  readonly limits?: Partial<Limits>;
}

/**
 * Decodes a PNG or JPEG file; which of the two is decided by its content. 16-bit images keep their upper bits, palettes
 * are looked up, an alpha channel is dropped where it is opaque, and the picture is turned as its EXIF orientation says.
 * @param source the file's name, for messages.
 * @throws when the file is of another kind, damaged, transparent, or has more pixels than the limit.
 */
export function decodeImage(bytes: Uint8Array, source: string, options: DecodeImageOptions = {}): Picture {
  const limits = options.limits ? limitsWith(options.limits) : defaultLimits;
  const kind = kindOfFile(bytes);
  if (kind !== "PNG" && kind !== "JPEG") {
    const article = kind && /^[AEIOU]/.test(kind) ? "an" : "a";
    const received =
      bytes.length === 0
        ? "empty"
        : kind
          ? `${article} ${kind} ${isPicture(kind) ? "image" : "file"}`
          : "no image";
    throw new Error(
      `${source}: the file is ${received}, expected PNG or JPEG; convert it, or take it out of the folder`,
    );
  }
  const checkSize = (width: number, height: number) => {
    if (width * height <= limits.pixels) return;
    throw new UnreadPictureError(
      `the image has ${width}×${height} pixels (width×height); ${howToRaise("pixels", limits)}`,
    );
  };
  try {
    const decoded = kind === "PNG" ? decodePng(bytes, checkSize) : decodeJpeg(bytes, checkSize);
    return options.ignoreOrientation ? decoded.picture : upright(decoded.picture, decoded.orientation);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    const problem =
      cause instanceof UnreadPictureError
        ? detail
        : `the image is truncated or damaged (${detail}); get the file again`;
    throw new Error(`${source}: ${problem} (${kind} of ${bytes.length} bytes)`, { cause });
  }
}

/** Turns and mirrors a picture that was stored in this orientation. */
export function upright(picture: Picture, orientation: Orientation): Picture {
  if (orientation === 1) return picture;
  const { width, height, channels, data } = picture;
  const isTransposed = orientation >= 5;
  const [newWidth, newHeight] = isTransposed ? [height, width] : [width, height];
  // Of the stored picture's axes, after transposing: is the new row or column counted from the other end?
  const isFlippedDown = [3, 4, 6, 7].includes(orientation);
  const isFlippedAcross = [2, 3, 7, 8].includes(orientation);
  const out = new Uint8Array(data.length);
  for (let row = 0; row < newHeight; row++)
    for (let column = 0; column < newWidth; column++) {
      const [down, across] = isTransposed ? [column, row] : [row, column];
      const fromRow = isFlippedDown ? height - 1 - down : down;
      const fromColumn = isFlippedAcross ? width - 1 - across : across;
      for (let channel = 0; channel < channels; channel++)
        out[(row * newWidth + column) * channels + channel] = data[
          (fromRow * width + fromColumn) * channels + channel
        ] as number;
    }
  return { width: newWidth, height: newHeight, channels, data: out };
}

function isPicture(kind: string): boolean {
  return /^(?:PNG|JPEG|GIF|BMP|WebP|TIFF|AVIF|HEIC)/.test(kind);
}
