import { DataError } from "../../errors/errors.ts";
import { words } from "../../errors/words.ts";
import { defaultLimits, howToRaise, type Limits, limitsWith } from "../../limits/limits.ts";
import { kindOfFile } from "../files/file-kinds.ts";
import { type DecodePicture, type Picture, UnreadPictureError } from "./picture.ts";

export type { DecodePicture, Picture } from "./picture.ts";

/** How a picture's file is read. */
export interface DecodeImageOptions {
  /** What decodes here: `decodePicture` of `forwardgrad/node`. */
  readonly decode: DecodePicture;
  /** Leaves pictures as they are stored, whatever EXIF says about how the camera was held. */
  readonly ignoreOrientation?: boolean;
  /** What the file may ask for. */
  readonly limits?: Partial<Limits>;
}

/**
 * Decodes a PNG or JPEG file, which is known by its content, and turns it as its EXIF orientation says.
 * @param source the file's name, for messages.
 * @throws when the file is of another kind, damaged, transparent, or has more pixels than the limit.
 */
export async function decodeImage(
  bytes: Uint8Array,
  source: string,
  options: DecodeImageOptions,
): Promise<Picture> {
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
    throw new DataError(
      `${source}: the file is ${received}, expected PNG or JPEG; convert it, or take it out of the folder`,
      { source },
    );
  }
  const checkSize = (width: number, height: number) => {
    if (width * height <= limits.pixels) return;
    throw new UnreadPictureError(
      words`the image has ${width}×${height} pixels (width×height); ${howToRaise("pixels", limits)}`,
    );
  };
  try {
    if (kind === "PNG") checkPng(bytes, checkSize);
    return await options.decode(bytes, { ignoreOrientation: options.ignoreOrientation, checkSize });
  } catch (cause) {
    const problem =
      cause instanceof UnreadPictureError
        ? cause
        : `the image is truncated or damaged (${detailOf(cause)}); get the file again`;
    throw new DataError(words`${source}: ${problem} (${kind} of ${bytes.length} bytes)`, { source, cause });
  }
}

/**
 * What decoders are lax about: sizes that they call a damaged header, and a file that ends before its last chunk, IEND. A
 * chunk is its length, a name of four letters, data and a checksum; the first one begins with width and height.
 */
function checkPng(bytes: Uint8Array, checkSize: (width: number, height: number) => void): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length >= 24) checkSize(view.getUint32(16), view.getUint32(20));
  for (let at = 8; at + 12 <= bytes.length; at += 12 + view.getUint32(at))
    if (view.getUint32(at + 4) === 0x49454e44) return;
  throw new Error("its last chunk, IEND, is missing");
}

function isPicture(kind: string): boolean {
  return /^(?:PNG|JPEG|GIF|BMP|WebP|TIFF|AVIF|HEIC)/.test(kind);
}

/** What a decoder says, on one line. */
function detailOf(cause: unknown): string {
  const lines = (cause instanceof Error ? cause.message : String(cause)).split("\n");
  return [...new Set(lines.map((line) => line.trim()))].join("; ");
}
