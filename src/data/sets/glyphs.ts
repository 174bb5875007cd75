import { permutation } from "../../random/permutation.ts";
import { glyphPartStreams, glyphStreams, streamKey } from "../../random/streams.ts";
import { fold, type Key } from "../../random/threefry.ts";
import { fillUniform } from "../../random/uniform.ts";
import { checkOptions } from "../../settings/check.ts";
import { whole } from "../../settings/option.ts";
import type { Dataset, DatasetEntry, Examples } from "../dataset.ts";
import {
  CANVAS,
  type Canvas,
  clearCanvas,
  drawStroke,
  inkAt,
  newCanvas,
  type Pen,
  penReach,
} from "./glyph-pen.ts";
import { glyphStrokes, type Stroke } from "./glyph-strokes.ts";

/** How much the examples vary; every quantity is uniform in its range. Lengths in pixels unless said. */
const variation = {
  /** Size of a digit's box unit (a digit is 10 units high). */
  unit: [1.45, 2.15],
  /** Width of a digit relative to its height. */
  aspect: [0.7, 1.15],
  /** Horizontal shift per vertical shift. */
  shear: [-0.35, 0.35],
  /** Tangent of half the angle of rotation: up to 17 degrees. */
  halfAngle: [-0.15, 0.15],
  /** Where the middle of the digit goes. */
  shift: [-2.5, 2.5],
  /** How far a node of the bending lattice moves, in box units. */
  bend: [-0.9, 0.9],
  radius: [0.75, 1.7],
  edge: [0.8, 1.4],
  intensity: [0.75, 1],
  /** Strength of the background noise of an example, in [0,1]. */
  noise: [0, 0.12],
} as const;

/** Nodes along a side of the lattice that bends a digit; it spans the digit's box. */
const LATTICE = 4;
/** Uniform numbers one example takes from its key. */
const DRAWS = 64;
/** Length of the table of background noise; an example reads a stretch of it. */
const NOISE_TABLE = 1 << 14;

const glyphOptions = {
  seed: whole(0, {}),
  train: whole(1, {}),
  test: whole(1, {}),
};

/** How many glyphs are drawn, and which. */
export interface GlyphOptions {
  /** Default 0. */
  readonly seed?: number;
  /** Number of training examples. Default 30,000. */
  readonly train?: number;
  /** Number of test examples. Default 5,000. */
  readonly test?: number;
}

/**
 * Handwritten-looking digits that the program draws itself: inputs [1, 28, 28] bytes, ten classes, every ten
 * examples holding each class once. Same seed, same bytes on every platform (only + − × ÷ √ and integer work);
 * an example is a function of seed, split and index alone, so a smaller set is the beginning of a larger one.
 * A converged linear model reaches 86.4 % test accuracy, a 784-256-256-10 perceptron 98.8 % after 3 epochs
 * (measured by bench/glyphs-difficulty.py).
 * @throws SettingError for an unknown option, and when a size is not a whole number of at least 1
 */
export function glyphs(options: GlyphOptions = {}): Dataset {
  checkOptions(glyphOptions, options, { of: "glyphs" });
  const { seed = 0, train = 30_000, test = 5_000 } = options;
  const key = streamKey(seed, "glyphs");
  const noise = new Float32Array(NOISE_TABLE);
  fillUniform(fold(key, glyphStreams.noise), 0, noise);
  return {
    name: "glyphs",
    classes: 10,
    normalization: { mean: 0.144, standardDeviation: 0.2658 },
    train: drawExamples(fold(key, glyphStreams.train), train, noise),
    test: drawExamples(fold(key, glyphStreams.test), test, noise),
  };
}

export const glyphsEntry: DatasetEntry = {
  name: "glyphs",
  summary: "drawn digits, 28×28, 30,000 to train and 5,000 to test (made on the spot, nothing to download)",
  load: async ({ seed }) => glyphs({ seed }),
};

function drawExamples(key: Key, count: number, noise: Float32Array): Examples {
  const pixels = CANVAS * CANVAS;
  const inputs = new Uint8Array(count * pixels);
  const labels = new Int32Array(count);
  const labelKey = fold(key, glyphPartStreams.labels);
  const drawKey = fold(key, glyphPartStreams.drawing);
  const canvas = newCanvas();
  const numbers = new Float32Array(DRAWS);
  let block: Uint32Array = new Uint32Array(10);
  for (let index = 0; index < count; index++) {
    if (index % 10 === 0) block = permutation(fold(labelKey, index / 10), 10);
    const digit = block[index % 10] as number;
    labels[index] = digit;
    fillUniform(fold(drawKey, index), 0, numbers);
    clearCanvas(canvas);
    drawDigit(digit, numbers, canvas, noise, inputs.subarray(index * pixels, (index + 1) * pixels));
  }
  return { count, shape: [1, CANVAS, CANVAS], inputs, labels };
}

/** Draws one digit into `bytes` [28 × 28] from its uniform numbers. */
function drawDigit(
  digit: number,
  numbers: Float32Array,
  canvas: Canvas,
  noise: Float32Array,
  bytes: Uint8Array,
): void {
  let used = 0;
  const uniform = () => numbers[used++] as number;
  const within = ([low, high]: readonly [number, number]) => low + (high - low) * uniform();

  const variants = glyphStrokes[digit] ?? [];
  const strokes = variants[Math.floor(uniform() * variants.length)] ?? [];
  const warp = warpFrom(within);
  const pen: Pen = {
    radius: within(variation.radius),
    edge: within(variation.edge),
    intensity: within(variation.intensity),
  };
  const noiseStrength = within(variation.noise);
  const noiseStart = Math.floor(uniform() * (NOISE_TABLE - CANVAS * CANVAS));
  const bends = Float64Array.from({ length: 2 * LATTICE * LATTICE }, () => within(variation.bend));

  for (const stroke of strokes) {
    const points = warpStroke(stroke, bends, warp);
    drawStroke(canvas, points, penReach(pen));
  }
  for (let pixel = 0; pixel < bytes.length; pixel++) {
    const ink = inkAt(canvas.squaredDistances[pixel] as number, pen);
    const background = noiseStrength * (noise[noiseStart + pixel] as number);
    bytes[pixel] = Math.floor(255 * (ink + (1 - ink) * background) + 0.5);
  }
}

/** An affine map from box units to pixels: x' = xx·x + xy·y + x0, y' = yx·x + yy·y + y0. */
interface Warp {
  readonly xx: number;
  readonly xy: number;
  readonly x0: number;
  readonly yx: number;
  readonly yy: number;
  readonly y0: number;
}

/** Scales, shears, rotates and shifts, about the middle of the box and of the canvas. */
function warpFrom(within: (range: readonly [number, number]) => number): Warp {
  const unit = within(variation.unit);
  const width = unit * within(variation.aspect);
  const shear = unit * within(variation.shear);
  const t = within(variation.halfAngle);
  const cosine = (1 - t * t) / (1 + t * t);
  const sine = (2 * t) / (1 + t * t);
  const xx = cosine * width;
  const xy = cosine * shear - sine * unit;
  const yx = sine * width;
  const yy = sine * shear + cosine * unit;
  const middle = (CANVAS - 1) / 2;
  return {
    xx,
    xy,
    x0: middle + within(variation.shift) - 5 * xx - 5 * xy,
    yx,
    yy,
    y0: middle + within(variation.shift) - 5 * yx - 5 * yy,
  };
}

/** The control points of a stroke in pixels: moved with the bending lattice, then warped. */
function warpStroke(stroke: Stroke, bends: Float64Array, warp: Warp): Float64Array {
  const points = new Float64Array(stroke.length);
  for (let i = 0; i < stroke.length; i += 2) {
    const x = stroke[i] as number;
    const y = stroke[i + 1] as number;
    const bentX = x + latticeValue(bends, 0, x, y);
    const bentY = y + latticeValue(bends, LATTICE * LATTICE, x, y);
    points[i] = warp.xx * bentX + warp.xy * bentY + warp.x0;
    points[i + 1] = warp.yx * bentX + warp.yy * bentY + warp.y0;
  }
  return points;
}

/** Bilinear interpolation of the lattice of nodes `values[first …]` at a point of the box. */
function latticeValue(values: Float64Array, first: number, x: number, y: number): number {
  const column = Math.min(LATTICE - 1, Math.max(0, ((x - 2) / 6) * (LATTICE - 1)));
  const row = Math.min(LATTICE - 1, Math.max(0, (y / 10) * (LATTICE - 1)));
  const left = Math.min(LATTICE - 2, Math.floor(column));
  const top = Math.min(LATTICE - 2, Math.floor(row));
  const corner = first + top * LATTICE + left;
  const across = column - left;
  const down = row - top;
  const upper = (values[corner] as number) * (1 - across) + (values[corner + 1] as number) * across;
  const lower =
    (values[corner + LATTICE] as number) * (1 - across) + (values[corner + LATTICE + 1] as number) * across;
  return upper * (1 - down) + lower * down;
}
