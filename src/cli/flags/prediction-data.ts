/** From flags to examples that a model is asked about, which need no labels, and to what tells them apart in the output. */
import type { Table } from "../../data/files/csv.ts";
import { npzInputs } from "../../data/files/npz.ts";
import { folderStore } from "../../data/node-store.ts";
import { decodePicture } from "../../data/pictures/node-picture.ts";
import { type KnownData, pictureShape } from "../../objective/model-data.ts";
import type { Model } from "../../onnx/read-model.ts";
import { say } from "../output.ts";
import type { AskedPart, OwnColumns } from "../prediction-rows.ts";
import { type DatasetChoice, openDataset, readFlagged } from "./datasets.ts";
import { withRunData } from "./run-model.ts";
import { textColumns, textEncoding } from "./text-data.ts";

/** What the flags of `predict` say of its data. */
export interface PredictionChoice extends Omit<DatasetChoice, "data" | "loss"> {
  readonly data?: string;
}

/** The kind of data: the one that is said, what the model was trained on, or what the files are called. */
export function kindOfData(
  { data, dataFile, dataDir, text }: Pick<PredictionChoice, "data" | "dataFile" | "dataDir" | "text">,
  known: KnownData,
): string {
  if (data !== undefined) return data;
  if (known.texts?.kind !== undefined) return known.texts.kind === "pairs" ? "text" : known.texts.kind;
  if (dataFile !== undefined && (text ?? known.texts) !== undefined) return "text";
  if (dataFile !== undefined) return /\.np[yz]$/i.test(dataFile) ? "npz" : "csv";
  if (dataDir !== undefined) return "images";
  if (known.texts !== undefined) return "text";
  return known.columns === undefined ? "glyphs" : "csv";
}

/** Flags completed by those of the model's run: where no data are named, its test file, or else all of its data. */
export async function ofRun<Flags extends PredictionChoice>(given: Flags, file: string): Promise<Flags> {
  const { flags, isOwn } = await withRunData(given, file);
  const { testFile, testFraction, label, target, stream, held, arrays, ...read } = flags;
  // Whether texts come in pairs the model says: pairs that were contrasted have an embedding for each text.
  const others = { ...read, textPair: given.textPair };
  // What was learned need not be there.
  const learned = flags.dataFile !== undefined && given.dataFile === undefined ? target : given.target;
  if (flags.dataFile !== undefined && given.dataFile === undefined)
    say(`No data are named: predicting those of the run, ${testFile ?? flags.dataFile}.`);
  // Names of arrays to train on go with their own file alone.
  const own = isOwn ? (arrays ?? given.arrays) : given.arrays;
  return {
    ...others,
    ...(given.dataFile === undefined && testFile !== undefined && { dataFile: testFile }),
    ...(own && { arrays: own }),
    ...(learned !== undefined && { target: learned }),
  } as Flags;
}

/** Opens the data part by part. @param batch pictures in one part */
export async function* askedParts(
  choice: PredictionChoice,
  model: Model,
  known: KnownData,
  {
    input,
    batch,
    file,
  }: { readonly input: string | undefined; readonly batch: number; readonly file: string },
): AsyncGenerator<AskedPart, void> {
  const data = kindOfData(choice, known);
  const { limit: limits } = choice;
  if (data === "images") {
    const { pictureInputs } = await import("../../data/pictures/image-folder.ts");
    if (choice.dataDir === undefined) throw new Error("--data images needs --data-dir FOLDER.");
    const { channels, size } = pictureShape(model, input);
    const { ignoreOrientation, imageSize = size } = choice;
    const options = { decode: decodePicture, size: imageSize, channels, ignoreOrientation, limits, batch };
    for await (const { paths, ...examples } of pictureInputs(folderStore(choice.dataDir), options))
      yield { examples, rows: paths.map((path) => [["file", path]]) };
  } else if (data === "csv") {
    const { tableInputs } = await import("../../data/files/table.ts");
    const { header, decimal, target, ignoreColumns: ignore, categorical } = choice;
    const given = await neededFile(choice, "csv");
    const options = { header, decimal, target, ignore, categorical, limits, columns: known.columns };
    const { table, inputs } = tableInputs(given, options);
    yield {
      examples: inputs,
      rows: ownColumns(table),
    };
  } else if (data === "text") {
    const { textRows } = await import("../../data/text/text-table.ts");
    const { encodeTexts } = await import("../../data/text/encode-texts.ts");
    // Of pairs, each text has an embedding of its own.
    const own = known.texts?.kind === "pairs" ? { ...known.texts, pair: undefined } : known.texts;
    const columns = textColumns(choice, own);
    const read = { ...columns, header: choice.header, limits };
    const { table, rows } = textRows(await neededFile(choice, "text"), read);
    const encoding = await textEncoding(choice, { model, file, maxLength: columns.maxLength });
    for (let start = 0; start < rows.length; start += batch)
      yield {
        examples: encodeTexts(rows.slice(start, start + batch), encoding),
        rows: ownColumns({ header: table.header, rows: table.rows.slice(start, start + batch) }),
      };
  } else if (data === "conll") {
    const { conllParts } = await import("./token-data.ts");
    const given = await neededFile(choice, "conll");
    yield* conllParts(choice, { model, file, data: given, batch }, known);
  } else if (data === "next-token") {
    throw new Error(
      "predict says nothing of plain text; eval --data next-token tells its perplexity, and --data text what each text's last token is followed by.",
    );
  } else if (data === "npz") {
    const arrays = await neededFile(choice, "npz");
    const examples = await npzInputs(arrays, { arrays: choice.arrays, inputs: model.inputs, limits });
    yield { examples, rows: numbered(examples.count) };
  } else {
    const { test } = await openDataset({ ...choice, data, loss: "cross-entropy" });
    const isOne = test.labels.length === test.count;
    const rows = numbered(test.count).map((row, at): OwnColumns => {
      const label = known.classNames?.[test.labels[at] ?? 0] ?? test.labels[at] ?? 0;
      return isOne ? [...row, ["label", label]] : row;
    });
    yield { examples: test, rows };
  }
}

function ownColumns({ header, rows }: Pick<Table, "header" | "rows">): OwnColumns[] {
  return rows.map((fields) => header.map((name, at) => [name, fields[at] ?? ""]));
}

function numbered(count: number): OwnColumns[] {
  return Array.from({ length: count }, (_, index) => [["index", index]]);
}

async function neededFile({ dataFile }: PredictionChoice, data: string) {
  if (dataFile === undefined)
    throw new Error(`--data ${data} needs --data-file FILE; say where the data is.`);
  return readFlagged(dataFile, "--data-file");
}
