/** Examples that are read as they are needed, and the few of them that are in memory at a time. */
import { isArrayOf } from "../arrays/kind.ts";
import { DataError } from "../errors/errors.ts";
import { type Examples, exampleSize, targetShapeOf } from "./dataset.ts";

/** Numbers of one of a model's inputs, one after the other. */
type Numbers = Float32Array | Uint8Array | readonly number[];

/** One example of a stream. */
export interface StreamedExample {
  /** In the shape of the model's input; bytes stand for value / 255. For a model of several inputs: such numbers by the inputs' names. */
  readonly inputs: Numbers | Readonly<Record<string, Numbers>>;
  /** Its class number or target value, or those of all its positions. */
  readonly labels: number | Int32Array | Float32Array | readonly number[];
  /** Shape of the example, of all inputs or by their names. Default: that of the model's input. */
  readonly shape?: readonly number[] | Readonly<Record<string, readonly number[]>>;
  /** Shape of the labels. Default: one number, or as many as there are in a row. */
  readonly targetShape?: readonly number[];
}

/** Examples that come one after the other and need not fit into memory. */
export interface ExampleStream {
  /**
   * Begins a pass: called once for each epoch with its number from 0, and again where a run is resumed in the middle of one. Gives the
   * same examples in the same order each time for the same pass.
   */
  readonly stream: (pass: number) => AsyncIterable<StreamedExample> | Iterable<StreamedExample>;
  /** How many examples a pass has; what comes after them is not read. Default: as many as come, counted before training. */
  readonly count?: number;
  /** How many of them are in memory, of which each example is drawn at random; 1 keeps their order. Default 10,000. */
  readonly buffer?: number;
}

/** How many examples are in memory where nobody says it. */
export const defaultBuffer = 10_000;

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
