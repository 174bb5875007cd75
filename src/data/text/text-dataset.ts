/** Texts with what is learned of them, as a dataset. */
import { isArrayOf } from "../../arrays/kind.ts";
import { DataError } from "../../errors/errors.ts";
import { type Words, words } from "../../errors/words.ts";
import type { Dataset, Examples } from "../dataset.ts";
import { measureTargets, noNormalization } from "../normalization.ts";
import { defaultTestFraction, splitTest, takeExamples } from "../split.ts";
import { encodeTexts, type TextEncoding } from "./encode-texts.ts";

/** A text, or a pair of them, and what is learned of it. */
export interface LabelledText {
  /** The text, or the first one of a pair. */
  readonly text: string;
  /** The second text of a pair. */
  readonly pair?: string;
  /** Name or number of its class; or its target value. */
  readonly label: string | number;
  /** Where it stands, for messages: "reviews.csv: row 7". Default: its number. */
  readonly at?: string;
}

/** How texts become a dataset. */
export interface TextDatasetOptions extends TextEncoding {
  /** classes: labels name classes. values: they are numbers. */
  readonly targets: "classes" | "values";
  /** The classes that a trained model knows. Default: the labels, sorted: numbers by their size, names by their letters. */
  readonly classNames?: readonly string[];
  /** Texts of their own to test on. Default: a part of them. */
  readonly test?: readonly LabelledText[];
  /** Texts of their own to validate on. Default: none. */
  readonly validation?: readonly LabelledText[];
  /** Share set aside for testing. Default 0.2; 1 takes all. */
  readonly testFraction?: number;
}

/**
 * Texts as a dataset: token numbers, padded to the longest text, with mask, types and positions for the model's inputs of these names.
 *
 * @throws DataError for a label that is no known class or no number, and where there is nothing to learn
 */
export function textDataset(given: readonly LabelledText[], options: TextDatasetOptions): Dataset {
  const { targets, test: own = [], validation = [], testFraction = defaultTestFraction } = options;
  const rows = [...given, ...own, ...validation];
  const parts = { text: given, "the texts to test on": own, "the texts to validate on": validation };
  const encoded = encodeTexts(
    rows.map(({ text, pair }) => (pair === undefined ? text : ([text, pair] as const))),
    options,
  );
  const classNames = targets === "classes" ? (options.classNames ?? classesOf(given)) : undefined;
  const all: Examples = {
    ...encoded,
    labels: joined(Object.entries(parts).map(([part, texts]) => labelsOf(texts, classNames, { part }))),
  };
  const part = (from: number, length: number) =>
    takeExamples(
      all,
      Uint32Array.from({ length }, (_, at) => from + at),
    );
  const mine = rows.length === given.length ? all : part(0, given.length);
  const { train, test } =
    own.length === 0
      ? splitTest(mine, testFraction, "text")
      : { train: mine, test: part(given.length, own.length) };
  return {
    name: "text",
    classes: classNames?.length ?? 0,
    classNames,
    normalization: noNormalization,
    targetNormalization: classNames ? undefined : measureTargets(train),
    shownTexts: rows.map(({ text, pair }) => (pair === undefined ? text : `${text} | ${pair}`)),
    train,
    test,
    warnings: emptyWarning(rows),
    ...(validation.length > 0 && { validation: part(given.length + own.length, validation.length) }),
  };
}

/** Texts without any: often what a program wrote for a missing value. */
function emptyWarning(rows: readonly LabelledText[]): Words[] {
  const empty = rows.filter(({ text, pair = "" }) => text.trim() === "" && pair.trim() === "");
  if (empty.length === 0) return [];
  const first = empty[0]?.at;
  return [
    words`${empty.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} texts are empty${first === undefined ? "" : ` (the first: ${first})`}, and
      their labels are learned of nothing; leave those rows out, or fill them in.`,
  ];
}

function classesOf(rows: readonly LabelledText[]): string[] {
  return sortedClasses(new Set(rows.map(({ label }) => String(label))));
}

/** Classes in their order: numbers by their size, names by their letters. @throws DataError where there are no two of them */
export function sortedClasses(found: ReadonlySet<string>): string[] {
  const names = [...found];
  if (names.length < 2) {
    throw new DataError(
      `text: the label is '${names[0]}' in every row, expected at least 2 classes; give others.`,
    );
  }
  const areNumbers = names.every((name) => name.trim() !== "" && Number.isFinite(Number(name)));
  return names.sort(areNumbers ? (a, b) => Number(a) - Number(b) : (a, b) => (a < b ? -1 : 1));
}

/** Arrays of one kind, one behind the other. */
function joined(parts: readonly (Int32Array | Float32Array)[]): Int32Array | Float32Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const isClasses = parts.some((part) => isArrayOf("Int32Array", part));
  const all = isClasses ? new Int32Array(length) : new Float32Array(length);
  let start = 0;
  for (const part of parts) {
    all.set(part, start);
    start += part.length;
  }
  return all;
}

/** Which texts are read, and from which row on, for messages. */
interface TextPart {
  readonly part?: string;
  readonly firstRow?: number;
}

/** Texts' class numbers, or their target values. @throws DataError for what is none, with where it stands */
export function labelsOf(
  rows: readonly LabelledText[],
  classNames: readonly string[] | undefined,
  { part = "text", firstRow = 0 }: TextPart = {},
): Int32Array | Float32Array {
  const at = (index: number) => rows[index]?.at ?? `${part}: row ${firstRow + index}`;
  if (!classNames) return Float32Array.from(rows, ({ label }, index) => targetOf(label, at(index)));
  const numbers = new Map(classNames.map((name, number) => [name, number]));
  return Int32Array.from(rows, ({ label }, index) => {
    const number = numbers.get(String(label));
    if (number !== undefined) return number;
    throw new DataError(
      `${at(index)} has the label '${label}', expected one of ${classNames.join(", ")}; correct it, or leave the row out.`,
    );
  });
}

/** What is learned of a row, as a number. @throws DataError where it is none */
export function targetOf(label: LabelledText["label"], at: string): number {
  const value = typeof label === "number" || label.trim() !== "" ? Number(label) : Number.NaN;
  if (Number.isFinite(value)) return value;
  throw new DataError(
    `${at} has the target '${label}', expected a number; correct it, or leave the row out.`,
  );
}
