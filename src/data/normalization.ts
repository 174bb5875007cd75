import { isArrayOf } from "../arrays/kind.ts";
import { type Examples, exampleSize, type Normalization } from "./dataset.ts";

/** Changes nothing: for data that is normalized already, or too little to measure. */
export const noNormalization: Normalization = { mean: 0, standardDeviation: 1 };

/**
 * Mean and standard deviation of the examples, in the units in which a batch holds them (bytes over 255): for each
 * channel of images [channels, height, width], for each number of float vectors, and otherwise for everything
 * together. A place whose values are all the same gets the standard deviation 1.
 */
export function measureNormalization(examples: Examples): Normalization {
  const { count, inputs } = examples;
  if (count === 0) return noNormalization;
  const positions = normalizedPositions(examples);
  const size = exampleSize(examples) / positions;
  const scale = isArrayOf("Uint8Array", inputs) ? 255 : 1;
  const totals = new Float64Array(positions);
  eachRun(count, positions, size, (index, start) => {
    let total = 0;
    for (let i = start; i < start + size; i++) total += inputs[i] as number;
    totals[index] = (totals[index] as number) + total;
  });
  const centers = totals.map((total) => total / (count * size));
  const squares = new Float64Array(positions);
  eachRun(count, positions, size, (index, start) => {
    const center = centers[index] as number;
    let total = 0;
    for (let i = start; i < start + size; i++) total += ((inputs[i] as number) - center) ** 2;
    squares[index] = (squares[index] as number) + total;
  });
  return {
    mean: Array.from(centers, (center) => center / scale),
    standardDeviation: Array.from(squares, (square) => Math.sqrt(square / (count * size)) / scale || 1),
  };
}

/** Mean and standard deviation of each target value. */
export function measureTargets({ count, labels }: Examples): Normalization {
  if (count === 0 || isArrayOf("Int32Array", labels)) return noNormalization;
  return measureNormalization({ count, shape: [labels.length / count], inputs: labels, labels });
}

/** Visits the stretches of `size` numbers that belong to one place of one example. */
function eachRun(
  count: number,
  positions: number,
  size: number,
  visit: (index: number, start: number) => void,
): void {
  for (let example = 0; example < count; example++)
    for (let index = 0; index < positions; index++) visit(index, (example * positions + index) * size);
}

function normalizedPositions({ inputs, shape }: Examples): number {
  const [first = 1, height = 0, width = 0] = shape;
  if (shape.length === 3) return first <= height && first <= width ? first : 1;
  return shape.length === 1 && isArrayOf("Float32Array", inputs) ? first : 1;
}
