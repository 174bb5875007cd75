/** Pixels row by row, the channels of a pixel beside each other: [height, width, channels]. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Gray or RGB. */
  readonly channels: 1 | 3;
  readonly data: Uint8Array;
}

/** A picture that is whole, but of a kind that is not read; the message says which, and what to do. */
export class UnreadPictureError extends Error {}
