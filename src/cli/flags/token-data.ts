/** From flags to examples whose every token has a label: CoNLL columns, and plain text of which the next token is learned. */
import type { Dataset, KnownTexts } from "../../data/dataset.ts";
import type { SourceFile } from "../../data/store.ts";
import { conllSentences } from "../../data/text/conll.ts";
import { encodedInputs, encodeWords, mostTokens, startOf } from "../../data/text/encode-texts.ts";
import { type NextTokenOptions, nextTokenDataset, tokenDataset } from "../../data/text/token-dataset.ts";
import { unpackedText } from "../../data/text/unpacked-text.ts";
import type { KnownData } from "../../objective/model-data.ts";
import type { Model } from "../../onnx/read-model.ts";
import type { AskedPart } from "../prediction-rows.ts";
import { defaultLength, type TextFlags, textEncoding } from "./text-data.ts";

/** The model that reads tokens, its file, and the files of the data. */
export interface TokenFiles {
  readonly model: Model;
  readonly file: string;
  readonly data: SourceFile;
  readonly test: SourceFile | undefined;
  readonly validation: SourceFile | undefined;
}

/** Columns by their numbers, as flags give them. */
export function conllColumns({ text, label }: TextFlags, known: KnownTexts | undefined) {
  const number = (value: string | undefined, flag: string) => {
    if (value === undefined) return undefined;
    if (/^[1-9]\d*$/.test(value)) return Number(value);
    throw new Error(
      `${flag} is the number of a column for --data conll, counted from 1; received '${value}'.`,
    );
  };
  return {
    word: number(text ?? known?.text, "--text") ?? 1,
    label: number(label, "--label"),
  };
}

/** Sentences with labelled words. */
export async function openConll(
  flags: TextFlags & { readonly testFraction?: number },
  { model, file, data, test, validation }: TokenFiles,
  { classNames, texts: known }: KnownData,
): Promise<Dataset> {
  const columns = conllColumns(flags, known);
  const maxLength = flags.maxLength ?? known?.maxLength ?? defaultLength;
  const dataset = tokenDataset(conllSentences(data, columns), {
    ...(await textEncoding(flags, { model, file, maxLength })),
    classNames,
    test: test && conllSentences(test, columns),
    validation: validation && conllSentences(validation, columns),
    testFraction: flags.testFraction,
  });
  return { ...dataset, texts: { kind: "conll", text: String(columns.word), maxLength } };
}

/** Sentences that a model is asked about, and at which positions their words begin. */
export async function* conllParts(
  flags: TextFlags,
  { model, file, data, batch }: Omit<TokenFiles, "test" | "validation"> & { readonly batch: number },
  { texts: known }: KnownData,
): AsyncGenerator<AskedPart, void> {
  const maxLength = flags.maxLength ?? known?.maxLength ?? defaultLength;
  const encoding = await textEncoding(flags, { model, file, maxLength });
  const { word } = conllColumns(flags, known);
  const sentences = conllSentences(data, { word, label: word });
  for (let start = 0; start < sentences.length; start += batch) {
    const part = sentences.slice(start, start + batch);
    const encoded = part.map(({ words }) => encodeWords(encoding.tokenizer, words, mostTokens(encoding)));
    const examples = encodedInputs(encoded, encoding);
    const [length = 1] = examples.shape;
    yield {
      examples,
      rows: part.map(({ words }) => [["tokens", words.join(" ")]]),
      positions: encoded.map(({ words }) =>
        words.flatMap((index, at) => (index < 0 ? [] : [at + startOf(encoding, length, words.length)])),
      ),
    };
  }
}

/** Plain text in blocks. */
export async function openNextToken(
  flags: TextFlags & { readonly testFraction?: number },
  { model, file, data, test, validation }: TokenFiles,
  { texts: known }: KnownData,
): Promise<Dataset> {
  const maxLength = flags.maxLength ?? known?.maxLength ?? defaultLength;
  const text = (source: SourceFile) => unpackedText(source, "text");
  const classes = model.outputs[0]?.dimensions?.at(-1);
  const options: NextTokenOptions = {
    ...(await textEncoding(flags, { model, file, maxLength })),
    ...(typeof classes === "number" && { classes }),
    test: test && text(test),
    ...(validation && { validation: text(validation) }),
    testFraction: flags.testFraction,
  };
  return {
    ...nextTokenDataset(text(data), options),
    texts: { kind: "next-token", text: "", maxLength },
  };
}
