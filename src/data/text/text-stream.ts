/** Texts that need not fit into memory, as a dataset: those set aside are kept, all others come as they are needed. */
import { DataError } from "../../errors/errors.ts";
import { drawDistinct } from "../../random/permutation.ts";
import { keyFromSeed } from "../../random/threefry.ts";
import type { Dataset, Normalization } from "../dataset.ts";
import type { ExampleStream, StreamedExample } from "../example-stream.ts";
import { defaultTestFraction } from "../split.ts";
import { encodeTexts, mostTokens } from "./encode-texts.ts";
import {
  type LabelledText,
  labelsOf,
  sortedClasses,
  type TextDatasetOptions,
  targetOf,
  textDataset,
} from "./text-dataset.ts";

/** How texts become a dataset. */
export interface TextStreamOptions extends TextDatasetOptions {
  /** How many are set aside for validation, where there are none of their own. Default 5,000, at most a tenth. */
  readonly held?: number;
  /** How many examples are in memory, to draw from. Default 10,000. */
  readonly buffer?: number;
}

/** How many texts are set aside at most where nobody says it: they are in memory. */
const mostHeld = 5000;
/** Texts that stand for all where a dataset is looked at. */
const shownFirst = 1000;

/**
 * Texts as a dataset whose `stream` is to be trained on. They are read twice before that: for their number and classes, and for those that are
 * set aside to test and to validate on. All are filled up to `maxLength` tokens.
 *
 * @param rows begins to read them: the same ones in the same order each time
 * @throws DataError for a label that is no known class or no number, and where there is nothing to learn
 */
export async function textStreamDataset(
  rows: () => AsyncIterable<LabelledText>,
  options: TextStreamOptions,
): Promise<Dataset> {
  const { test, validation, testFraction = defaultTestFraction, buffer } = options;
  const { count, classes, targetNormalization } = await survey(rows, options);
  const testCount = test ? 0 : Math.min(mostHeld, Math.max(1, Math.round(testFraction * count)));
  const left = count - testCount;
  const validationCount = validation ? 0 : (options.held ?? Math.min(mostHeld, Math.floor(left / 10)));
  if (left - validationCount < 1)
    throw new DataError(
      `text: ${count} rows, of which ${testCount} are to test on and ${validationCount} to validate on; leave some to train on.`,
    );
  const drawn = drawDistinct(keyFromSeed(0), testCount + validationCount, count);
  const [tested, validated] = [new Set(drawn.slice(0, testCount)), new Set(drawn.slice(testCount))];
  const held: Record<"test" | "validation" | "first", LabelledText[]> = {
    test: [],
    validation: [],
    first: [],
  };
  await each(rows, (row, number) => {
    if (tested.has(number)) held.test.push(row);
    else if (validated.has(number)) held.validation.push(row);
    else if (held.first.length < shownFirst) held.first.push(row);
  });
  const isHeld = (number: number) => tested.has(number) || validated.has(number);
  const encoding = { ...options, length: mostTokens(options), ...(classes && { classNames: classes }) };
  const dataset = textDataset(held.first, {
    ...encoding,
    test: test ?? held.test,
    validation: validation ?? held.validation,
  });
  const stream: ExampleStream = {
    stream: () => examplesOf(rows, encoding, isHeld),
    count: left - validationCount,
    ...(buffer !== undefined && { buffer }),
  };
  return { ...dataset, ...(targetNormalization && { targetNormalization }), stream };
}

/** How many rows there are, their classes, and mean and deviation of what are numbers. */
async function survey(
  rows: () => AsyncIterable<LabelledText>,
  { targets, classNames }: TextDatasetOptions,
): Promise<{
  readonly count: number;
  readonly classes: readonly string[] | undefined;
  readonly targetNormalization: Normalization | undefined;
}> {
  const found = new Set<string>();
  let [count, mean, squares] = [0, 0, 0];
  await each(rows, ({ label, at }) => {
    count++;
    if (targets === "classes") found.add(String(label));
    else {
      // Welford (1962): one pass, without the difference of large sums.
      const value = targetOf(label, at ?? `text: row ${count - 1}`);
      const difference = value - mean;
      mean += difference / count;
      squares += difference * (value - mean);
    }
  });
  if (targets === "classes")
    return { count, classes: classNames ?? sortedClasses(found), targetNormalization: undefined };
  const targetNormalization = { mean: [mean], standardDeviation: [Math.sqrt(squares / count) || 1] };
  return { count, classes: undefined, targetNormalization };
}

async function each(
  rows: () => AsyncIterable<LabelledText>,
  visit: (row: LabelledText, number: number) => void,
): Promise<void> {
  let number = 0;
  for await (const row of rows()) visit(row, number++);
}

async function* examplesOf(
  rows: () => AsyncIterable<LabelledText>,
  encoding: TextDatasetOptions,
  isHeld: (number: number) => boolean,
): AsyncGenerator<StreamedExample, void> {
  let number = -1;
  for await (const row of rows()) {
    number++;
    if (isHeld(number)) continue;
    const { text, pair } = row;
    const { inputs, furtherInputs = {} } = encodeTexts([pair === undefined ? text : [text, pair]], encoding);
    const further = Object.entries(furtherInputs).map(([name, { values }]) => [name, values] as const);
    const labels = labelsOf([row], encoding.classNames, { firstRow: number });
    yield { inputs: { input_ids: inputs, ...Object.fromEntries(further) }, labels };
  }
}
