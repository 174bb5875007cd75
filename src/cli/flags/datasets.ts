/** From flags to a dataset: known by name, or a user's files. */
import { statSync } from "node:fs";
import { basename } from "node:path";
import { classWarnings } from "../../data/class-warnings.ts";
import type { Dataset } from "../../data/dataset.ts";
import { downloadStore } from "../../data/download.ts";
import { npzDataset } from "../../data/files/npz.ts";
import { nodeFetch } from "../../data/node-fetch.ts";
import { cacheDirectory, folderCache, folderStore } from "../../data/node-store.ts";
import type { ImageFolderOptions } from "../../data/pictures/image-folder.ts";
import { decodePicture } from "../../data/pictures/node-picture.ts";
import { datasetNamed, datasets } from "../../data/sets/list.ts";
import type { SourceFile } from "../../data/store.ts";
import { words } from "../../errors/words.ts";
import type { Limits } from "../../limits/limits.ts";
import type { KnownData } from "../../objective/model-data.ts";
import type { Model } from "../../onnx/read-model.ts";
import { readIfPresent } from "../../storage/node-files.ts";
import { say } from "../output.ts";
import type { CommandLoss } from "./chosen-loss.ts";
import { type TextFlags, textColumns, textEncoding } from "./text-data.ts";

/** The flags that choose data; see `addDataOptions`. */
export interface DatasetChoice extends TextFlags {
  readonly data: string;
  readonly dataDir?: string;
  readonly dataFile?: string;
  readonly testFile?: string;
  readonly validationFile?: string;
  readonly validationDir?: string;
  readonly target?: string;
  readonly adapter?: "lora";
  readonly ignoreColumns?: readonly string[];
  readonly categorical?: readonly string[];
  readonly header?: boolean;
  readonly decimal?: "point" | "comma";
  readonly arrays?: readonly string[];
  readonly imageSize?: { readonly height: number; readonly width: number };
  readonly ignoreOrientation?: boolean;
  readonly testFraction?: number;
  readonly limit?: Partial<Limits>;
  readonly loss: CommandLoss;
  /** How many examples of a stream are in memory. */
  readonly stream?: number;
  /** What --validation says: of a stream, they are set aside here. */
  readonly held?: unknown;
}

/** What --data may say: datasets by name, and the kinds of data of one's own. */
export const dataNames: readonly string[] = [
  ...datasets.map(({ name }) => name),
  "images",
  "csv",
  "npz",
  "text",
  "conll",
  "next-token",
];

/** Which data each flag goes with. */
const readWith: Readonly<Record<string, readonly string[]>> = {
  dataDir: [...datasets.filter(({ files }) => files !== undefined).map(({ name }) => name), "images"],
  dataFile: ["csv", "npz", "text", "conll", "next-token"],
  testFile: ["csv", "npz", "text", "conll", "next-token"],
  validationFile: ["csv", "npz", "text", "conll", "next-token"],
  validationDir: ["images"],
  target: ["csv"],
  ignoreColumns: ["csv"],
  categorical: ["csv"],
  header: ["csv", "text"],
  decimal: ["csv"],
  arrays: ["npz"],
  imageSize: ["images"],
  ignoreOrientation: ["images"],
  testFraction: ["images", "csv", "npz", "text", "conll", "next-token"],
  text: ["text", "conll"],
  textPair: ["text"],
  label: ["text", "conll"],
  tokenizer: ["text", "conll", "next-token"],
  maxLength: ["text", "conll", "next-token"],
  stream: ["text"],
};

/**
 * Opens the data that the flags choose: by name from a folder, from the cache or by download; or one's own.
 *
 * @param known what a trained model says about its data, so that classes and columns get the same numbers
 */
export async function openDataset(
  choice: DatasetChoice,
  known: KnownData & Pick<ImageFolderOptions, "channels"> & { readonly reader?: ModelReader } = {},
): Promise<Dataset> {
  refuseStrayFlags(choice);
  if (choice.loss === "contrast") return announced(await openPairsOf(choice, known));
  if (choice.data === "images") return announced(await openImages(choice, known));
  if (choice.data === "csv") return announced(await openTable(choice, known));
  if (choice.data === "npz") return announced(await openArrays(choice, known.reader));
  if (choice.data === "text") return announced(await openTexts(choice, known));
  if (choice.data === "conll" || choice.data === "next-token")
    return announced(await openTokens(choice, known));
  return openNamed(choice);
}

// Parsers of one's own data load only where they are needed, so that every command starts fast.

async function openImages(
  choice: DatasetChoice,
  { classNames, channels }: Pick<ImageFolderOptions, "classNames" | "channels">,
): Promise<Dataset> {
  const { imageFolder } = await import("../../data/pictures/image-folder.ts");
  const { imageSize: size, testFraction, ignoreOrientation, limit: limits } = choice;
  const folder = needed(choice.dataDir, choice.data, "--data-dir FOLDER");
  const { validationDir } = choice;
  return imageFolder(folderStore(folder), {
    decode: decodePicture,
    size,
    channels,
    ...(validationDir !== undefined && { validation: folderStore(validationDir) }),
    testFraction,
    classNames,
    ignoreOrientation,
    limits,
  });
}

async function openTable(choice: DatasetChoice, { columns, classNames }: KnownData): Promise<Dataset> {
  const { tableDataset } = await import("../../data/files/table.ts");
  const { data, dataFile, ignoreColumns: ignore, categorical, testFraction } = choice;
  const { header, decimal, limit: limits } = choice;
  const target = needed(choice.target, data, "--target COLUMN");
  const table = await readFlagged(needed(dataFile, data, "--data-file FILE.csv"), "--data-file");
  return tableDataset(table, {
    ...(await ownFiles(choice)),
    target,
    targets: targetsOf(choice),
    ignore,
    categorical,
    testFraction,
    columns,
    classNames,
    header,
    decimal,
    limits,
  });
}

/** Files of their own to test and to validate on. */
async function ownFiles({
  testFile,
  validationFile,
}: DatasetChoice): Promise<{ readonly test?: SourceFile; readonly validation?: SourceFile }> {
  return {
    ...(testFile !== undefined && { test: await readFlagged(testFile, "--test-file") }),
    ...(validationFile !== undefined && {
      validation: await readFlagged(validationFile, "--validation-file"),
    }),
  };
}

async function openArrays(choice: DatasetChoice, reader: ModelReader | undefined): Promise<Dataset> {
  const { data, dataFile, arrays, testFraction, limit: limits } = choice;
  const file = await readFlagged(needed(dataFile, data, "--data-file FILE.npz"), "--data-file");
  const inputs = reader?.model.inputs;
  const own = await ownFiles(choice);
  return npzDataset(file, { ...own, targets: targetsOf(choice), arrays, inputs, testFraction, limits });
}

async function openPairsOf(
  choice: DatasetChoice,
  { texts, reader }: KnownData & { readonly reader?: ModelReader },
): Promise<Dataset> {
  if (choice.data !== "text")
    throw new Error(
      `--loss contrast goes with pairs of texts (--data text --text COLUMN --text-pair COLUMN), received --data ${choice.data}; choose another loss, or such data.`,
    );
  if (!reader)
    throw new Error("--data text goes with a model file that reads tokens (--model FILE.onnx); choose one.");
  const { openPairs } = await import("./pair-data.ts");
  const data = await readFlagged(needed(choice.dataFile, choice.data, "--data-file FILE.csv"), "--data-file");
  return openPairs(choice, { ...reader, data, ...(await ownFiles(choice)) }, texts);
}

/** The model that reads the data, and its file. */
export interface ModelReader {
  readonly model: Model;
  readonly file: string;
}

async function openTexts(
  choice: DatasetChoice,
  { classNames, texts: known, reader }: KnownData & { readonly reader?: ModelReader },
): Promise<Dataset> {
  if (!reader)
    throw new Error("--data text goes with a model file that reads tokens (--model FILE.onnx); choose one.");
  const [{ labelledTexts }, { textDataset }] = await Promise.all([
    import("../../data/text/text-table.ts"),
    import("../../data/text/text-dataset.ts"),
  ]);
  const { data, dataFile, testFile, validationFile, testFraction, header, limit: limits } = choice;
  const label = needed(choice.label, data, "--label COLUMN");
  const texts = textColumns(choice, known);
  const { text, pair, maxLength } = texts;
  const read = async (path: string, flag: string) =>
    labelledTexts(await readFlagged(path, flag), { text, pair, label, header, limits });
  const file = needed(dataFile, data, "--data-file FILE.csv");
  const test = testFile === undefined ? undefined : await read(testFile, "--test-file");
  const validation =
    validationFile === undefined ? undefined : await read(validationFile, "--validation-file");
  const options = {
    ...(await textEncoding(choice, { ...reader, maxLength })),
    ...{ targets: targetsOf(choice), classNames, test, validation, testFraction },
  };
  if (choice.stream === undefined && !isLarge(file))
    return { ...textDataset(await read(file, "--data-file"), options), texts };
  const { openTextStream } = await import("./text-stream.ts");
  const columns = { text, ...(pair !== undefined && { pair }), label, header, limits };
  return {
    ...(await openTextStream(file, columns, { ...options, buffer: choice.stream, held: choice.held })),
    texts,
  };
}

async function openTokens(
  choice: DatasetChoice,
  { reader, ...known }: KnownData & { readonly reader?: ModelReader },
): Promise<Dataset> {
  const { data, dataFile } = choice;
  if (!reader)
    throw new Error(
      `--data ${data} goes with a model file that reads tokens (--model FILE.onnx); choose one.`,
    );
  if (choice.loss !== "cross-entropy")
    throw new Error(`--data ${data} goes with --loss cross-entropy; leave the other one out.`);
  const { openConll, openNextToken } = await import("./token-data.ts");
  const files = {
    ...reader,
    ...{ test: undefined, validation: undefined },
    data: await readFlagged(needed(dataFile, data, "--data-file FILE"), "--data-file"),
    ...(await ownFiles(choice)),
  };
  return data === "conll" ? openConll(choice, files, known) : openNextToken(choice, files, known);
}

function targetsOf({ loss }: DatasetChoice): "classes" | "values" {
  return loss === "cross-entropy" ? "classes" : "values";
}

async function openNamed(choice: DatasetChoice): Promise<Dataset> {
  const entry = datasetNamed(choice.data);
  const cached = entry.files && {
    files: entry.files,
    cache: folderCache(`${cacheDirectory()}/${entry.name}`),
    fetch: await nodeFetch(),
    report: (line: string) => say(line),
    limits: choice.limit,
  };
  const store = choice.dataDir ? folderStore(choice.dataDir) : cached && downloadStore(cached);
  // Embedded data has a fixed seed: runs with different seeds must be comparable, and `eval` must see the same test set.
  return entry.load({ store, seed: 0, limits: choice.limit });
}

/** @throws for flags that go with other data */
export function refuseStrayFlags(choice: Omit<DatasetChoice, "loss">): void {
  for (const [name, kinds] of Object.entries(readWith)) {
    if (choice[name as keyof typeof choice] === undefined || kinds.includes(choice.data)) continue;
    // There it chooses matrices.
    if (name === "target" && choice.adapter !== undefined) continue;
    const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    throw new Error(
      `${flag} goes with --data ${kinds.join(", ")}, received --data ${choice.data}; leave it out.`,
    );
  }
}

function needed(value: string | undefined, data: string, flag: string): string {
  if (value !== undefined) return value;
  const what = flag.endsWith("COLUMN") ? "which column is learned" : "where the data is";
  throw new Error(`--data ${data} needs ${flag}; say ${what}.`);
}

/**
 * Whether a file is read row by row without being asked for: all of it and its tokens take many times its size.
 *
 * @param most bytes of a file that is read at once
 */
export function isLarge(path: string, most = 256e6): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > most;
}

export async function readFlagged(path: string, flag: string): Promise<SourceFile> {
  const bytes = await readIfPresent(path);
  if (bytes === undefined) throw new Error(`${path}: no such file; correct ${flag}.`);
  return { name: basename(path), bytes };
}

/** Says how data of one's own was understood. */
function announced(dataset: Dataset): Dataset {
  const { train, stream, test, validation, classNames, classes, warnings = [] } = dataset;
  const count = (value: number) => value.toLocaleString("en");
  const list = classNames && classNames.length <= 12 ? `: ${classNames.join(", ")}` : "";
  const learned =
    dataset.texts?.kind === "pairs"
      ? "both texts of a pair one behind the other"
      : classes > 0
        ? `${classes} classes${list}`
        : `${targetSize(dataset)} target values`;
  say(
    `${dataset.name}: ${count(stream?.count ?? train.count)} examples to train on${stream ? ", read row by row" : ""}, ` +
      `${validation ? `${count(validation.count)} to validate on, ` : ""}${count(test.count)} to test on; inputs ` +
      `[${train.shape.join(", ")}], ${learned}`,
    ...[...warnings, ...classWarnings(dataset)].map((warning) => words`warning: ${warning}`),
  );
  return dataset;
}

/** How many target values an example has. */
export function targetSize({ train, test }: Dataset): number {
  const examples = train.count > 0 ? train : test;
  return examples.labels.length / examples.count;
}

/** Loads datasets by their names, each once, for programs that say themselves which one they want. */
export function datasetLoader(dataDir: string | undefined): (name: string) => Promise<Dataset> {
  const loaded = new Map<string, Promise<Dataset>>();
  return (name) => {
    const before = loaded.get(name) ?? openDataset({ data: name, dataDir, loss: "cross-entropy" });
    loaded.set(name, before);
    return before;
  };
}
