/** Predictions as rows: of a table (CSV), or as JSON Lines. */
import Papa from "papaparse";
import type { Examples } from "../data/dataset.ts";
import type { Prediction } from "../train/evaluation/predict.ts";

/** What identifies an example in the output: its own columns, its file or its number. */
export type OwnColumns = readonly (readonly [name: string, value: string | number])[];

/** Some of the examples, and what identifies each of them. */
export interface AskedPart {
  readonly examples: Omit<Examples, "labels">;
  readonly rows: readonly OwnColumns[];
  /** Of each example, the positions that are told of. Default: all. */
  readonly positions?: readonly (readonly number[])[];
}

/** How rows are written. */
export interface RowOptions {
  readonly format: "csv" | "jsonl";
  /** Only so many of the likeliest classes. Default: all classes. */
  readonly top?: number;
  /** Names of the classes, in the order of their numbers. */
  readonly classNames?: readonly string[];
}

/** Writes rows one by one; the first of a table is its header. */
export class RowWriter {
  readonly #options: RowOptions;
  #names: readonly string[] | undefined;
  #rows = 0;

  constructor(options: RowOptions) {
    this.#options = options;
  }

  /** How many were written. */
  get rows(): number {
    return this.#rows;
  }

  /** One example as text, ended by a line break. */
  row(own: OwnColumns, said: Prediction): string {
    const found =
      this.#options.format === "csv"
        ? columnsOf(said, this.#options)
        : (objectOf(said, this.#options) as Readonly<Record<string, unknown>>);
    const header = this.#names === undefined;
    if (header) refuseStrayTop(said, this.#options);
    const ownNames = own.map(([name]) => name);
    this.#names ??= freeNames(Object.keys(found), ownNames);
    this.#rows++;
    const values = Object.values(found);
    if (this.#options.format === "jsonl") {
      const predicted = Object.fromEntries(this.#names.map((name, at) => [name, values[at]]));
      return `${JSON.stringify({ ...Object.fromEntries(own.map(asJson)), ...predicted })}\n`;
    }
    const names = [...ownNames, ...this.#names];
    const line = (cells: readonly unknown[]) => `${Papa.unparse([cells], { newline: "\n" })}\n`;
    return `${header ? line(names) : ""}${line([...own.map(([, value]) => value), ...values])}`;
  }
}

/** Text that is a number and written as JavaScript writes it becomes one. */
function asJson([name, value]: OwnColumns[number]): OwnColumns[number] {
  return [
    name,
    typeof value === "string" &&
    String(Number(value)) === value &&
    value !== "NaN" &&
    !value.endsWith("Infinity")
      ? Number(value)
      : value,
  ];
}

/** The names, changed where the example's own columns have them. */
function freeNames(names: readonly string[], taken: readonly string[]): string[] {
  return names.map((name) => {
    let free = name;
    while (taken.includes(free)) free = `model_${free}`;
    return free;
  });
}

/** Cells by column. */
function columnsOf(said: Prediction, { top, classNames }: RowOptions): Record<string, string | number> {
  const nameOf = (label: number) => classNames?.[label] ?? String(label);
  switch (said.kind) {
    case "class": {
      if (top !== undefined)
        return Object.fromEntries(
          likeliest(said.probabilities, top).flatMap((label, at) => [
            [`prediction_${at + 1}`, nameOf(label)],
            [`probability_${at + 1}`, shortest(said.probabilities[label] as number)],
          ]),
        );
      const all = Array.from(said.probabilities, (probability, label) => [
        `probability_${nameOf(label)}`,
        shortest(probability),
      ]);
      return { prediction: nameOf(said.label), ...Object.fromEntries(all) };
    }
    case "positions":
      return { prediction: Array.from(said.labels, nameOf).join(" ") };
    case "truths":
      return numbered("probability", said.probabilities, classNames);
    case "values":
      return numbered("prediction", said.values);
  }
}

/** "prediction", or of several numbers "prediction_1", … or, where they have names, "probability_rain", …. */
function numbered(
  what: string,
  numbers: Float32Array,
  names?: readonly string[],
): Record<string, string | number> {
  if (numbers.length === 1) return { [what]: shortest(numbers[0] as number) };
  return Object.fromEntries(
    Array.from(numbers, (number, at) => [
      names?.[at] === undefined ? `${what}_${at + 1}` : `${what}_${names[at]}`,
      shortest(number),
    ]),
  );
}

/** Entries of a line of JSON. */
function objectOf(said: Prediction, { top, classNames }: RowOptions): object {
  const nameOf = (label: number) => classNames?.[label] ?? (classNames ? String(label) : label);
  switch (said.kind) {
    case "class": {
      const shown = top ?? said.probabilities.length;
      const best = likeliest(said.probabilities, shown);
      const entries = best.map((label) => [
        String(nameOf(label)),
        shortest(said.probabilities[label] as number),
      ]);
      // A list keeps their order, also of names that are numbers.
      const probabilities =
        top === undefined
          ? Object.fromEntries(entries)
          : best.map((label) => ({
              class: nameOf(label),
              probability: shortest(said.probabilities[label] as number),
            }));
      return { prediction: nameOf(said.label), probabilities };
    }
    case "positions": {
      const classes = said.probabilities.length / said.labels.length;
      const own = Array.from(said.labels, (label, at) =>
        shortest(said.probabilities[at * classes + label] as number),
      );
      // A list, also of one position: sentences of one word are like others.
      const listed = (values: readonly unknown[]) =>
        said.shape.length === 1 ? values : nested(values, said.shape);
      return { prediction: listed(Array.from(said.labels, nameOf)), probability: listed(own) };
    }
    case "truths":
      return { probability: nested(Array.from(said.probabilities, shortest), said.shape) };
    case "values":
      return { prediction: nested(Array.from(said.values, shortest), said.shape) };
  }
}

/** Values as lists inside of lists; one value alone is no list. */
function nested(values: readonly unknown[], shape: readonly number[]): unknown {
  if (values.length === 1 && shape.length <= 1) return values[0];
  const [, ...inner] = shape;
  if (inner.length === 0) return values;
  const size = inner.reduce((product, length) => product * length, 1);
  return Array.from({ length: values.length / size }, (_, at) =>
    nested(values.slice(at * size, (at + 1) * size), inner),
  );
}

/** Numbers of the classes with the largest probabilities, the largest first. */
function likeliest(probabilities: Float32Array, count: number): number[] {
  return Array.from(probabilities, (_, label) => label)
    .sort((a, b) => (probabilities[b] as number) - (probabilities[a] as number) || a - b)
    .slice(0, count);
}

/** A 32-bit float in as few digits as tell it. */
function shortest(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === value) return rounded;
  }
  return value;
}

/** @throws where there are no classes to choose the likeliest from */
function refuseStrayTop({ kind }: Prediction, { top }: RowOptions): void {
  if (top === undefined || kind === "class") return;
  const what = { positions: "classes at positions", truths: "truths", values: "values" }[kind];
  throw new Error(`--top goes with models of one class an example, and this one says ${what}; leave it out.`);
}

/** What is said of some positions alone. */
export function atPositions(said: Prediction, positions: readonly number[]): Prediction {
  if (said.kind !== "positions") return said;
  const classes = said.probabilities.length / said.labels.length;
  const probabilities = positions.flatMap((at) => [
    ...said.probabilities.subarray(at * classes, (at + 1) * classes),
  ]);
  return {
    ...said,
    labels: Int32Array.from(positions, (at) => said.labels[at] as number),
    shape: [positions.length],
    probabilities: Float32Array.from(probabilities),
  };
}
