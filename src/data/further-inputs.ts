/** What examples hold for a model's inputs beside the main one: attention masks, token types, a second picture. */
import { isArrayOf } from "../arrays/kind.ts";

/** What the examples hold for one further input of a model. */
export interface FurtherInput {
  /** Shape of one example's part, without the batch axis. */
  readonly shape: readonly number[];
  /** count × shape, row-major. Bytes are pixels and stand for value / 255. */
  readonly values: Uint8Array | Float32Array;
}

/** Further inputs, by the names that they have in the model. */
export type FurtherInputs = Readonly<Record<string, FurtherInput>>;

/** How many numbers of a further input belong to one example. */
function sizeOf({ shape }: FurtherInput): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** The parts of some examples, copied. */
export function takeFurther(further: FurtherInputs, indices: Uint32Array): FurtherInputs {
  const entries = Object.entries(further).map(([name, input]) => {
    const { shape, values } = input;
    const size = sizeOf(input);
    const length = indices.length * size;
    const taken = isArrayOf("Uint8Array", values) ? new Uint8Array(length) : new Float32Array(length);
    for (const [position, index] of indices.entries())
      taken.set(values.subarray(index * size, (index + 1) * size), position * size);
    return [name, { shape, values: taken }] as const;
  });
  return Object.fromEntries(entries);
}

/** Reads the parts of some examples into `into`, [indices, ...shape]; bytes arrive divided by 255. */
export function readFurther(input: FurtherInput, indices: Uint32Array, into: Float32Array): void {
  const { values } = input;
  const size = sizeOf(input);
  const scale = isArrayOf("Uint8Array", values) ? 255 : 1;
  for (let row = 0; row < indices.length; row++) {
    const start = (indices[row] as number) * size;
    for (let i = 0; i < size; i++) into[row * size + i] = (values[start + i] as number) / scale;
  }
}
