/** Pairs of texts whose embeddings are to be near each other, as a dataset: both texts of a pair are examples, one behind the other. */
import { DataError } from "../../errors/errors.ts";
import type { Dataset, Examples } from "../dataset.ts";
import { noNormalization } from "../normalization.ts";
import { defaultTestFraction, membersOf, splitForTest, takeExamples } from "../split.ts";
import { encodeTexts, type TextEncoding } from "./encode-texts.ts";

/** A question and its answer, a query and what it should find, two sentences of one meaning. */
export type TextPair = readonly [first: string, second: string];

/** How pairs become a dataset. */
export interface PairDatasetOptions extends TextEncoding {
  /** Pairs of their own to test on. Default: a part of them. */
  readonly test?: readonly TextPair[];
  /** Pairs of their own to validate on. Default: none. */
  readonly validation?: readonly TextPair[];
  /** Share set aside for testing. Default 0.2; 1 takes all. */
  readonly testFraction?: number;
}

/**
 * Pairs of texts for the loss `contrast`: each text is an example, filled up to the longest, and its target is the number of its pair.
 *
 * @throws DataError where a part has fewer than two pairs, of which one is told from the other
 */
export function pairDataset(given: readonly TextPair[], options: PairDatasetOptions): Dataset {
  const { test: own = [], validation = [], testFraction = defaultTestFraction } = options;
  const pairs = [...given, ...own, ...validation];
  const labels = Float32Array.from({ length: 2 * pairs.length }, (_, row) => Math.floor(row / 2));
  const all: Examples = { ...encodeTexts(pairs.flat(), options), labels };
  /** The examples of pairs. */
  const textsOf = (numbers: Uint32Array, what: string) => {
    if (numbers.length >= 2 || (what === "train on" && testFraction >= 1))
      return takeExamples(all, membersOf(numbers, 2));
    throw new DataError(
      `pairs: ${numbers.length} to ${what}, expected at least 2, of which one is told from the other; give more.`,
      { source: "pairs" },
    );
  };
  const range = (from: number, length: number) => Uint32Array.from({ length }, (_, at) => from + at);
  const mine = range(0, given.length);
  const parts =
    own.length > 0
      ? { train: mine, test: range(given.length, own.length) }
      : splitForTest(given.length, testFraction, "pairs");
  return {
    ...{ name: "pairs", classes: 0, normalization: noNormalization, shownTexts: pairs.flat() },
    train: textsOf(parts.train, "train on"),
    test: textsOf(parts.test, "test on"),
    ...(validation.length > 0 && {
      validation: textsOf(range(given.length + own.length, validation.length), "validate on"),
    }),
  };
}
