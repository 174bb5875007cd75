/** What decodes a picture, wherever the program runs. */
import { DataError } from "../../errors/errors.ts";
/** Pixels row by row, the channels of a pixel beside each other: [height, width, channels]. */
export interface Picture {
  /** Pixels from left to right. */
  readonly width: number;
  /** Pixels from top to bottom. */
  readonly height: number;
  /** Gray or RGB. */
  readonly channels: 1 | 3;
  /** Values 0 to 255, row by row: [height, width, channels]. */
  readonly data: Uint8Array;
}

/** How a picture's file is read. */
export interface DecodePictureOptions {
  /** Leaves pictures as they are stored, whatever EXIF says about how the camera was held. */
  readonly ignoreOrientation?: boolean;
  /** Called with the size in pixels before memory is taken for it; throws where it is too large. */
  checkSize(width: number, height: number): void;
}

/**
 * Decodes a PNG or JPEG file: what does that depends on where the program runs. 16-bit images keep their upper bits,
 * palettes are looked up, an alpha channel is dropped where it is opaque, CMYK becomes RGB as (255 − c)(255 − k)/255.
 *
 * @throws UnreadPictureError for pictures that are whole but of a kind that is not read; Error for damaged ones
 */
export type DecodePicture = (bytes: Uint8Array, options: DecodePictureOptions) => Promise<Picture>;

/** A picture that is whole, but of a kind that is not read; the message says which, and what to do. */
export class UnreadPictureError extends DataError {}
