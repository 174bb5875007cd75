/** From flags to pairs of texts whose embeddings are to be near each other. */
import type { Dataset, KnownTexts } from "../../data/dataset.ts";
import type { SourceFile } from "../../data/store.ts";
import { pairDataset } from "../../data/text/pair-dataset.ts";
import { textPairs } from "../../data/text/text-table.ts";
import type { Limits } from "../../limits/limits.ts";
import type { Model } from "../../onnx/read-model.ts";
import { type TextFlags, textColumns, textEncoding } from "./text-data.ts";

/** The flags that say how pairs are read. */
export interface PairFlags extends TextFlags {
  readonly stream?: number;
  readonly testFraction?: number;
  readonly header?: boolean;
  readonly limit?: Partial<Limits>;
}

/** The tables, and the model that reads them. */
export interface PairFiles {
  readonly model: Model;
  readonly file: string;
  readonly data: SourceFile;
  readonly test?: SourceFile;
  readonly validation?: SourceFile;
}

/** Opens tables of pairs, one pair a row. @throws for flags that go with labels */
export async function openPairs(
  choice: PairFlags,
  { data, test, validation, ...reader }: PairFiles,
  known: KnownTexts | undefined,
): Promise<Dataset> {
  const { label, stream, testFraction, header, limit: limits } = choice;
  if (label !== undefined)
    throw new Error(
      "--loss contrast learns from pairs alone, which have no labels; leave --label out, or choose another loss.",
    );
  if (stream !== undefined)
    throw new Error(
      "--stream shuffles examples one by one, which would take pairs apart (--loss contrast); leave it out.",
    );
  const { text, pair, maxLength } = textColumns(choice, known);
  if (pair === undefined)
    throw new Error(
      "--loss contrast needs --text-pair COLUMN, the second text of each pair, beside --text; say which column holds it.",
    );
  if (pair === text)
    throw new Error(
      `--text and --text-pair both name the column '${text}', and a text finds itself without learning; name two columns.`,
    );
  const read = (file: SourceFile) => textPairs(file, { text, pair, header, limits });
  return {
    ...pairDataset(read(data), {
      ...(await textEncoding(choice, { ...reader, maxLength })),
      ...(test && { test: read(test) }),
      ...(validation && { validation: read(validation) }),
      testFraction,
    }),
    texts: { kind: "pairs", text, pair, maxLength },
  };
}
