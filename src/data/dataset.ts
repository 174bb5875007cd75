/** What a dataset is: examples with their shapes and labels, and the checks that all of them pass. */
import { isArrayOf } from "../arrays/kind.ts";
import { DataError } from "../errors/errors.ts";
import type { Words } from "../errors/words.ts";
import type { Limits } from "../limits/limits.ts";
import type { ExampleStream } from "./example-stream.ts";
import type { Column } from "./files/columns.ts";
import type { FurtherInputs } from "./further-inputs.ts";
import type { FileStore, RemoteFiles } from "./store.ts";

/** The label of an example whose loss is left out, as in PyTorch's `ignore_index`. */
export const IGNORED_LABEL = -100;

/** Examples of one split. */
export interface Examples {
  /** How many examples. */
  readonly count: number;
  /** Shape of one example, without the batch axis. */
  readonly shape: readonly number[];
  /** count × shape, row-major. Bytes are pixels and stand for value / 255. */
  readonly inputs: Uint8Array | Float32Array;
  /** What the same examples hold for the model's other inputs, by name: masks, token types, a second picture. Default: nothing. */
  readonly furtherInputs?: FurtherInputs;
  /** Class numbers (Int32Array), or target values (Float32Array): count × targetShape, row-major. */
  readonly labels: Int32Array | Float32Array;
  /** Shape of one example's labels or targets. Default: one number, or as many as there are in a row. */
  readonly targetShape?: readonly number[];
  /** The examples' numbers in the data that they were taken from, for messages. Default: they are all of the data. */
  readonly origin?: Uint32Array;
}

/**
 * What a model subtracts from its raw inputs and divides them by: one number for all, or one for each entry along
 * the first axis of an example (a channel of an image, a column of a table).
 */
export interface Normalization {
  readonly mean: number | readonly number[];
  readonly standardDeviation: number | readonly number[];
}

/** How texts were read. */
export interface KnownTexts {
  /**
   * conll: each word has a label. next-token: plain text, of which the next token is learned. pairs: both texts of a pair are
   * examples, whose embeddings are near each other. Default: each text has a label.
   */
  readonly kind?: "conll" | "next-token" | "pairs";
  /** The column of the text, or of the first one of a pair. */
  readonly text: string;
  /** The column of the second text of a pair. */
  readonly pair?: string;
  /** Tokens of the longest text at most. */
  readonly maxLength: number;
}

/** What people read of a position of an example. */
export interface ShownPositions {
  /** What the label is of, by the example's number in the data, with what stands before and behind it; undefined where that is nothing. */
  around(
    example: number,
    position: number,
  ): { readonly before: string; readonly own: string; readonly after: string } | undefined;
  /** What a label says, where classes have no names. */
  nameOf?(label: number): string;
}

/** Examples to train and to test on, with what is known of them. */
export interface Dataset {
  /** Its name, for messages and for a run's configuration. */
  readonly name: string;
  /** How many classes the labels count; 0 for target values. */
  readonly classes: number;
  /** The classes' names, in the order of their numbers. */
  readonly classNames?: readonly string[];
  /** How the columns of a table became inputs. */
  readonly columns?: readonly Column[];
  /** Which columns of a table held the texts, and the tokens of the longest one at most. */
  readonly texts?: KnownTexts;
  /** What people read of each example, by its number in the data (`Examples.origin`), where that is a text. */
  readonly shownTexts?: readonly string[];
  /** How a label of one of an example's positions is shown, where these are words or tokens. */
  readonly shownPositions?: ShownPositions;
  /** Of the training inputs (pixels in [0,1]), for the normalization inside the model. */
  readonly normalization: Normalization;
  /** Of the training targets, where they are values: for a model whose outputs are in their units. */
  readonly targetNormalization?: Normalization;
  /** Examples to train on; validation examples are split off them, where there are none of their own. */
  readonly train: Examples;
  /** All examples to train on, where they need not fit into memory; `train` then holds the first ones. */
  readonly stream?: ExampleStream;
  /** Examples to validate on, where they are of their own. */
  readonly validation?: Examples;
  /** Examples to test on. */
  readonly test: Examples;
  /** What is read but may not be what was meant, in sentences that name the file and what to do. */
  readonly warnings?: readonly Words[];
}

/** A dataset that can be asked for by name. */
export interface DatasetEntry {
  /** Name on the command line. */
  readonly name: string;
  /** One line for listings. */
  readonly summary: string;
  /** The files it reads from `store`; undefined when the program makes the data itself. */
  readonly files?: RemoteFiles;
  /**
   * Reads or makes the examples.
   *
   * @param options `store`: where its files are; `seed`: decides what is drawn; `limits`: what the files may ask for
   * @throws when the dataset reads files and `store` is missing, or a file is missing or damaged
   */
  load(options: {
    readonly store?: FileStore;
    readonly seed: number;
    /** What the files may ask for. */
    readonly limits?: Partial<Limits>;
  }): Promise<Dataset>;
}

/** How many numbers one example has: the product of its shape. */
export function exampleSize(examples: Pick<Examples, "shape">): number {
  return examples.shape.reduce((product, size) => product * size, 1);
}

/** Shape of one example's labels or targets. */
export function targetShapeOf({
  count,
  labels,
  targetShape,
}: Pick<Examples, "count" | "labels" | "targetShape">): readonly number[] {
  return targetShape ?? (labels.length === count ? [] : [labels.length / count]);
}

/**
 * Checks that examples can be trained on: lengths agree, numbers are finite, and class labels lie in
 * [0, classes) or are −100 (ignored).
 * @throws an Error that names the split, the first bad example and the fix.
 */
export function checkExamples(examples: Examples, name: string, classes: number): void {
  checkLengths(examples, name);
  if (isArrayOf("Float32Array", examples.inputs)) checkFinite(examples.inputs, examples, name, "inputs");
  if (isArrayOf("Float32Array", examples.labels)) checkFinite(examples.labels, examples, name, "targets");
  else checkClasses(examples, name, classes);
}

/** "example 3", and where an example has several labels, which one of them. */
export function describePosition(
  { count, labels, origin }: Pick<Examples, "count" | "origin"> & { readonly labels: ArrayLike<unknown> },
  index: number,
): string {
  const each = labels.length / count;
  const own = Math.floor(index / each);
  const example = `example ${origin?.[own] ?? own}`;
  return each === 1 ? example : `position ${index % each} of ${example}`;
}

function checkLengths({ count, shape, inputs, labels, targetShape }: Examples, name: string): void {
  if (!Number.isInteger(count) || count < 1) {
    throw new DataError(
      `${name}: count is ${count}, expected a whole number of at least 1; give at least one example`,
      { source: name },
    );
  }
  const badSize = shape.find((size) => !Number.isInteger(size) || size < 1);
  if (badSize !== undefined) {
    throw new DataError(
      `${name}: shape [${shape}] holds ${badSize}, expected whole numbers of at least 1; leave out the batch axis`,
      { source: name },
    );
  }
  const expected = shape.reduce((product, size) => product * size, count);
  if (inputs.length !== expected) {
    throw new DataError(
      `${name}: inputs hold ${inputs.length} numbers, expected ${expected} (${count} examples of shape [${shape}]); ` +
        "correct count or shape, or drop incomplete examples",
      { source: name },
    );
  }
  if (labels.length === 0 || labels.length % count !== 0) {
    throw new DataError(
      isArrayOf("Int32Array", labels)
        ? `${name}: ${labels.length} labels for ${count} examples, expected one class index an example, or as many for ` +
            "each; check that inputs and labels come from the same split"
        : `${name}: targets hold ${labels.length} numbers, expected a multiple of the ${count} examples; ` +
            "give every example as many target values",
      { source: name },
    );
  }
  const each = targetShapeOf({ count, labels, targetShape }).reduce((product, size) => product * size, 1);
  if (each * count !== labels.length) {
    throw new DataError(
      `${name}: targetShape [${targetShape}] holds ${each} numbers, and each of the ${count} examples has ` +
        `${labels.length / count}; correct targetShape`,
      { source: name },
    );
  }
}

function checkFinite(values: Float32Array, examples: Examples, name: string, what: string): void {
  const position = values.findIndex((value) => !Number.isFinite(value));
  if (position === -1) return;
  const own = Math.floor(position / (values.length / examples.count));
  throw new DataError(
    `${name}: example ${examples.origin?.[own] ?? own} has ${values[position]} among its ${what}, expected finite numbers; ` +
      "remove the example or fill in the value",
    { source: name },
  );
}

function checkClasses(examples: Examples, name: string, classes: number): void {
  const { labels } = examples;
  const index = labels.findIndex((label) => label !== IGNORED_LABEL && (label < 0 || label >= classes));
  if (index === -1) return;
  throw new DataError(
    `${name}: ${describePosition(examples, index)} has label ${labels[index]}, expected 0 to ${classes - 1} ` +
      `(or ${IGNORED_LABEL} to ignore it); correct the label or the number of classes`,
    { source: name },
  );
}
