/** Examples whose every token has a label: words with theirs, and tokens with the ones that follow them. */
import { DataError } from "../../errors/errors.ts";
import { type Dataset, type Examples, IGNORED_LABEL } from "../dataset.ts";
import { noNormalization } from "../normalization.ts";
import { defaultTestFraction, splitTest, takeExamples } from "../split.ts";
import type { LabelledWords } from "./conll.ts";
import { encodedInputs, encodeWords, mostTokens, startOf, type TextEncoding } from "./encode-texts.ts";

/** How sentences become a dataset. */
export interface TokenDatasetOptions extends TextEncoding {
  /** The labels that a trained model knows. Default: those of the words, sorted by their letters. */
  readonly classNames?: readonly string[];
  /** Sentences of their own to test on. Default: a part of them. */
  readonly test?: readonly LabelledWords[];
  /** Sentences of their own to validate on. Default: none. */
  readonly validation?: readonly LabelledWords[];
  /** Share set aside for testing. Default 0.2; 1 takes all. */
  readonly testFraction?: number;
}

/**
 * Sentences with labelled words as a dataset: labels [longest sentence in tokens], that of a word at its first piece; its other
 * pieces, special tokens and what fills up do not count, as in Hugging Face's examples.
 *
 * @throws DataError for a label that is not known, or where there are no two of them
 */
export function tokenDataset(given: readonly LabelledWords[], options: TokenDatasetOptions): Dataset {
  const { test: own = [], validation = [], testFraction = defaultTestFraction } = options;
  const sentences = [...given, ...own, ...validation];
  const classNames = options.classNames ?? [...new Set(given.flatMap(({ labels }) => labels))].sort();
  if (classNames.length < 2)
    throw new DataError(
      `conll: the label is '${classNames[0]}' for every word, expected at least 2; choose another column.`,
    );
  const numbers = new Map(classNames.map((name, number) => [name, number]));
  const most = mostTokens(options);
  const encoded = sentences.map(({ words }) => encodeWords(options.tokenizer, words, most));
  const inputs = encodedInputs(encoded, options);
  const [length = 1] = inputs.shape;
  const labels = new Int32Array(sentences.length * length).fill(IGNORED_LABEL);
  for (const [row, { words }] of encoded.entries()) {
    const start = row * length + startOf(options, length, words.length);
    for (const [at, word] of words.entries()) {
      const label = sentences[row]?.labels[word];
      if (word < 0 || label === undefined) continue;
      const number = numbers.get(label);
      if (number === undefined)
        throw new DataError(
          `${sentences[row]?.at ?? `conll: sentence ${row}`} has the label '${label}', expected one of ${classNames.join(", ")}; correct it, or leave the sentence out.`,
        );
      labels[start + at] = number;
    }
  }
  return {
    ...split({ ...inputs, labels, targetShape: [length] }, [given, own, validation], testFraction, "conll"),
    ...{ name: "conll", classes: classNames.length, classNames, normalization: noNormalization },
    shownTexts: sentences.map(({ words }) => words.join(" ")),
    shownPositions: {
      around(example, position) {
        const { words: wordOf = [] } = encoded[example] ?? {};
        const word = wordOf[position - startOf(options, length, wordOf.length)];
        const all = sentences[example]?.words ?? [];
        const own = word === undefined ? undefined : all[word];
        if (word === undefined || own === undefined) return undefined;
        return { before: all.slice(0, word).join(" "), own, after: all.slice(word + 1).join(" ") };
      },
    },
  };
}

/** Plain text in blocks of tokens, each of which has the next one as its label. */
export interface NextTokenOptions extends TextEncoding {
  /** Numbers that a model tells apart: the size of its vocabulary. Default: as many as the text has. */
  readonly classes?: number;
  /** A text of its own to test on. Default: a part of the blocks. */
  readonly test?: string;
  /** A text of its own to validate on. Default: none. */
  readonly validation?: string;
  /** Share of the blocks set aside for testing. Default 0.2. */
  readonly testFraction?: number;
}

/**
 * Plain text as a dataset of blocks of `maxLength` tokens (or of the model's one length), one behind the other; what is left at the end
 * is no whole block and is left out. The label of each token is the next one of its block; the last one does not count, as in
 * Hugging Face's models.
 *
 * @throws DataError where a text is shorter than a block, or a token is none of the model's
 */
export function nextTokenDataset(text: string, options: NextTokenOptions): Dataset {
  const { test, validation, testFraction = defaultTestFraction } = options;
  const length = mostTokens(options);
  const parts = [text, test, validation].map((part) =>
    part === undefined ? [] : blocksOf(part, length, options),
  );
  const blocks = parts.flat();
  const inputs = encodedInputs(
    blocks.map((ids) => ({ ids, types: ids.map(() => 0) })),
    options,
  );
  const labels = Int32Array.from(blocks.flatMap((ids) => [...ids.slice(1), IGNORED_LABEL]));
  const { classes = labels.reduce((most, id) => Math.max(most, id), 0) + 1 } = options;
  const unknown = labels.find((id) => id >= classes);
  if (unknown !== undefined)
    throw new DataError(
      `next-token: the tokenizer has a token ${unknown}, and the model tells ${classes} apart; give the model's own tokenizer.`,
    );
  return {
    ...split({ ...inputs, labels, targetShape: [length] }, parts, testFraction, "next-token"),
    ...{ name: "next-token", classes, normalization: noNormalization },
    ...shownTokens(blocks, options),
  };
}

/** Tokens as text, by a tokenizer that can say them. */
function shownTokens(
  blocks: readonly (readonly number[])[],
  { tokenizer: { tokenizer } }: TextEncoding,
): Pick<Dataset, "shownPositions"> {
  const said = (ids: readonly number[]) => tokenizer.decode?.([...ids]) ?? "";
  if (!tokenizer.decode) return {};
  return {
    shownPositions: {
      around(example, position) {
        const ids = blocks[example] ?? [];
        const own = ids[position + 1];
        if (own === undefined) return undefined;
        const [before, to] = [said(ids.slice(0, position + 1)), said(ids.slice(0, position + 2))];
        return { before, own: to.slice(before.length), after: said(ids).slice(to.length) };
      },
      nameOf: (label) => said([label]),
    },
  };
}

/** Token numbers in blocks: lines are encoded one by one, with their ends, as Hugging Face's examples do it. */
function blocksOf(text: string, length: number, { tokenizer: { tokenizer } }: TextEncoding): number[][] {
  const ids: number[] = [];
  for (const line of text.match(/[^\n]*\n|[^\n]+$/g) ?? [])
    for (const token of tokenizer.encode(line, { add_special_tokens: false }).tokens)
      ids.push(tokenizer.token_to_id(token) ?? tokenizer.model?.unk_token_id ?? 0);
  const blocks = Array.from({ length: Math.floor(ids.length / length) }, (_, index) =>
    ids.slice(index * length, (index + 1) * length),
  );
  if (blocks.length > 0) return blocks;
  throw new DataError(
    `next-token: the text has ${ids.length} tokens, expected at least one block of ${length}; give more text, or shorter blocks (maxLength).`,
  );
}

/** Examples to train, to test and to validate on, of which all have as many as their part; without a part to test on, of the first one. */
function split(
  all: Examples,
  parts: readonly { readonly length: number }[],
  fraction: number,
  source: string,
): Pick<Dataset, "train" | "test" | "validation"> {
  const [given = 0, own = 0, held = 0] = parts.map(({ length }) => length);
  const range = (from: number, length: number) =>
    takeExamples(
      all,
      Uint32Array.from({ length }, (_, at) => from + at),
    );
  const first = own + held === 0 ? all : range(0, given);
  return {
    ...(own === 0 ? splitTest(first, fraction, source) : { train: first, test: range(given, own) }),
    ...(held > 0 && { validation: range(given + own, held) }),
  };
}
