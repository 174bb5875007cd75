/** The few examples of a stream that are in memory at a time. */
import { isArrayOf } from "../arrays/kind.ts";
import { DataError } from "../errors/errors.ts";
import { type Examples, exampleSize, targetShapeOf } from "./dataset.ts";

/** A row of examples that are written one by one: as many as are asked for of the kind and the shape of the first. */
export class ExampleRows {
  readonly examples: Examples;
  /** Numbers in the stream, [count] */
  readonly #numbers: Uint32Array;

  /** @param like examples of the same kind and shape */
  constructor(like: Examples, count: number) {
    const rows = <Kind extends Uint8Array | Float32Array | Int32Array>(values: Kind) =>
      new (values.constructor as new (length: number) => Kind)((values.length / like.count) * count);
    const further = Object.entries(like.furtherInputs ?? {}).map(
      ([name, { shape, values }]) => [name, { shape, values: rows(values) }] as const,
    );
    this.#numbers = new Uint32Array(count);
    this.examples = {
      ...like,
      count,
      inputs: rows(like.inputs),
      ...(like.furtherInputs && { furtherInputs: Object.fromEntries(further) }),
      labels: rows(like.labels),
      targetShape: targetShapeOf(like),
      origin: this.#numbers,
    };
  }

  /**
   * Writes an example of others into a row.
   *
   * @throws DataError where it is not of the same kind and shape as the first
   */
  write(row: number, from: Examples, fromRow = 0): void {
    const number = from.origin?.[fromRow] ?? fromRow;
    const [mine, theirs] = [arraysOf(this.examples), arraysOf(from)];
    for (const [at, { name, values, each }] of mine.entries()) {
      const other = theirs[at];
      if (other?.name !== name || other.each !== each || other.values.constructor !== values.constructor)
        throw new DataError(
          `The stream's example ${number} has ${describe(from)}, and its first one ${describe(this.examples)}; give all examples one kind ` +
            "and shape (texts: fill them up to one length).",
        );
      values.set(other.values.subarray(fromRow * each, (fromRow + 1) * each), row * each);
    }
    this.#numbers[row] = number;
  }
}

interface NamedArray {
  readonly name: string;
  readonly values: Uint8Array | Float32Array | Int32Array;
  readonly each: number;
}

/** All arrays of examples, and how many numbers of each belong to one. */
export function arraysOf({ inputs, furtherInputs = {}, labels, count }: Examples): NamedArray[] {
  const further = Object.entries(furtherInputs).map(([name, { values }]) => ({ name, values }));
  return [{ name: "inputs", values: inputs }, ...further, { name: "labels", values: labels }].map(
    (array) => ({
      ...array,
      each: array.values.length / count,
    }),
  );
}

function describe(examples: Examples): string {
  const further = Object.entries(examples.furtherInputs ?? {}).map(
    ([name, { shape }]) => `, ${name} [${shape}]`,
  );
  const kind = isArrayOf("Uint8Array", examples.inputs) ? "bytes" : "numbers";
  const labels = examples.labels.length / examples.count;
  return `${exampleSize(examples)} ${kind} in [${examples.shape}]${further.join("")} with ${labels} ${
    isArrayOf("Int32Array", examples.labels) ? "class numbers" : "targets"
  }`;
}
