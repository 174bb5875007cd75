import type { Component } from "./jpeg-scan.ts";

/**
 * From coefficients to pixels, as libjpeg computes them: its integer inverse transform ("islow"), its enlargement of
 * components of lower resolution ("fancy upsampling") and its color conversion, so that pictures have the same bytes as in
 * the programs that use it.
 */

/** Multiples of 2⁻¹³ of cosines, as in C. Loeffler, A. Ligtenberg, G. Moschytz, "Practical fast 1-D DCT algorithms with 11 multiplications", ICASSP 1989. */
const fraction = 13;
/** Bits kept between the passes over columns and rows. */
const between = 2;

/** The samples of a component, 8 × 8 a block: [8 · block rows, 8 · stride]. */
export function inverseTransform(component: Component, quantization: Int32Array): Uint8Array {
  const { stride, coefficients } = component;
  const width = 8 * stride;
  const samples = new Uint8Array(coefficients.length);
  const block = new Int32Array(64);
  for (let start = 0; start < coefficients.length; start += 64) {
    for (let at = 0; at < 64; at++)
      block[at] = (coefficients[start + at] as number) * (quantization[at] as number);
    for (let column = 0; column < 8; column++) transform(block, column, 8, fraction - between);
    for (let row = 0; row < 64; row += 8) transform(block, row, 1, fraction + between + 3);
    const index = start / 64;
    const corner = 8 * Math.floor(index / stride) * width + 8 * (index % stride);
    for (let at = 0; at < 64; at++)
      samples[corner + (at >> 3) * width + (at & 7)] = byte((block[at] as number) + 128);
  }
  return samples;
}

/** Transforms 8 numbers in place: from `start` on, `step` apart, rounded to `bits` fewer bits. */
function transform(block: Int32Array, start: number, step: number, bits: number): void {
  const read = (place: number) => block[start + place * step] as number;
  const rounding = 2 ** (bits - 1);
  const write = (place: number, value: number) => {
    block[start + place * step] = (value + rounding) >> bits;
  };
  const even = (read(2) + read(6)) * 4433;
  const [even2, even3] = [even - read(6) * 15137, even + read(2) * 6270];
  const [even0, even1] = [(read(0) + read(4)) * 2 ** fraction, (read(0) - read(4)) * 2 ** fraction];
  const tops = [even0 + even3, even1 + even2, even1 - even2, even0 - even3] as const;
  const [a, b, c, d] = [read(7), read(5), read(3), read(1)];
  const shared = (a + c + b + d) * 9633;
  const [ad, bc] = [(a + d) * -7373, (b + c) * -20995];
  const [ac, bd] = [(a + c) * -16069 + shared, (b + d) * -3196 + shared];
  const odd = [d * 12299 + ad + bd, c * 25172 + bc + ac, b * 16819 + bc + bd, a * 2446 + ad + ac] as const;
  for (let place = 0; place < 4; place++) {
    write(place, (tops[place] as number) + (odd[place] as number));
    write(7 - place, (tops[place] as number) - (odd[place] as number));
  }
}

export interface Plane {
  readonly samples: Uint8Array;
  /** Samples a row, of which the first `columns` belong to the picture. */
  readonly stride: number;
  readonly columns: number;
  readonly rows: number;
  /** How many pixels a sample stands for. */
  readonly across: number;
  readonly down: number;
}

/**
 * A component at the picture's resolution. At half of it across, down or both, new samples take 3/4 of the nearest old one
 * and 1/4 of the next; otherwise, and where there are at most two columns to halve, samples are repeated.
 */
export function enlarge(plane: Plane, width: number, height: number): Uint8Array {
  const { samples, stride, columns, rows } = plane;
  const out = new Uint8Array(width * height);
  const isWide = plane.across === 2 && columns > 2;
  const isTall = plane.down === 2 && (plane.across === 1 || isWide);
  const isSmooth = (isWide && plane.down <= 2) || isTall;
  if (!isSmooth || (plane.across > 2 && plane.down > 2)) {
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        out[y * width + x] = samples[
          Math.floor(y / plane.down) * stride + Math.floor(x / plane.across)
        ] as number;
    return out;
  }
  // 3 × the nearest row and 1 × the next, or rows as they are.
  const sums = new Int32Array(columns);
  for (let y = 0; y < height; y++) {
    const isLower = y % 2 === 1;
    const near = isTall ? y >> 1 : y;
    const next = Math.min(rows - 1, Math.max(0, near + (isLower ? 1 : -1)));
    for (let column = 0; column < columns; column++) {
      const value = samples[near * stride + column] as number;
      sums[column] = isTall ? 3 * value + (samples[next * stride + column] as number) : value;
    }
    for (let x = 0; x < width; x++)
      out[y * width + x] = isWide
        ? between3(sums, x, isTall)
        : ((sums[x] as number) + (isLower ? 2 : 1)) >> 2;
  }
  return out;
}

/** A sample between those of a row; libjpeg rounds half up and half down in turns. */
function between3(sums: Int32Array, x: number, isTall: boolean): number {
  const column = x >> 1;
  const isRight = x % 2 === 1;
  const near = sums[column] as number;
  const next = sums[column + (isRight ? 1 : -1)];
  if (isTall) return (3 * near + (next ?? near) + (isRight ? 7 : 8)) >> 4;
  return next === undefined ? near : (3 * near + next + (isRight ? 2 : 1)) >> 2;
}

/** RGB from YCbCr in place (ITU-T T.871, section 7), with 16 bits of fraction. */
export function rgbFromYcc(y: Uint8Array, cb: Uint8Array, cr: Uint8Array): void {
  for (let at = 0; at < y.length; at++) {
    const [luma, blue, red] = [y[at] as number, (cb[at] as number) - 128, (cr[at] as number) - 128];
    y[at] = byte(luma + ((91881 * red + 32768) >> 16));
    cb[at] = byte(luma + ((-22554 * blue - 46802 * red + 32768) >> 16));
    cr[at] = byte(luma + ((116130 * blue + 32768) >> 16));
  }
}

/** A color of CMYK on white paper, all stored inverted, as Adobe's programs do: ink · black / 255, rounded. */
export function underBlack(ink: Uint8Array, black: Uint8Array): void {
  for (let at = 0; at < ink.length; at++) {
    const light = black[at] as number;
    const covered = (255 - (ink[at] as number)) * light + 128;
    ink[at] = byte(light - (((covered >> 8) + covered) >> 8));
  }
}

function byte(value: number): number {
  return value < 0 ? 0 : value > 255 ? 255 : value;
}
