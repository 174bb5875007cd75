/** In the worker: what dropped files are, and the examples that they hold. */
import {
  type Dataset,
  imageFolder,
  type ListedFiles,
  labelledTexts,
  npzDataset,
  openTokenizer,
  type SourceFile,
  tableColumns,
  tableDataset,
  textDataset,
  zippedFiles,
} from "forwardgrad/data";
import { type Model, openModel } from "forwardgrad/onnx";
import { type DroppedFile, decodePicture, droppedFiles } from "forwardgrad/web";
import type { Answers, Asked, Question, ReadData, Reading, SeenData, SeenModel, Told } from "./asked.ts";

/** Answers one question, with its error in the library's words. */
export async function answer({ own, question }: Asked, post: (told: Told, moved: Transferable[]) => void) {
  try {
    if (question.kind === "look") return post({ own, answer: await look(question) }, []);
    const data = await read(question);
    post({ own, answer: data }, buffersOf(data));
  } catch (error) {
    post({ own, problem: error instanceof Error ? error.message : String(error) }, []);
  }
}

async function look({ model, data }: Question): Promise<Answers["look"]> {
  return {
    model: model.length > 0 ? describe(await open(model)) : undefined,
    data: data.length > 0 ? await kindOf(data) : undefined,
  };
}

const open = (files: readonly DroppedFile[]): Promise<Model> =>
  openModel(files.map(({ path, file }) => ({ name: path, arrayBuffer: () => file.arrayBuffer() })));

function describe({ source, inputs, outputs, nodes, initializers }: Model): SeenModel {
  const value = ({ name, dtype, dimensions }: Model["inputs"][number]) =>
    `${name} ${dtype} ${dimensions ? `[${dimensions.map((size) => size ?? "?").join(", ")}]` : ""}`.trim();
  const width = outputs[0]?.dimensions?.at(-1);
  let numbers = 0;
  for (const { data } of initializers.values()) numbers += data.length;
  return {
    name: source,
    inputs: inputs.map(value),
    outputs: outputs.map(value),
    nodes: nodes.length,
    numbers,
    width: typeof width === "number" ? width : undefined,
  };
}

const isTable = ({ path }: DroppedFile) =>
  /\.(csv|tsv|txt|jsonl?|ndjson)(\.gz)?$/i.test(path) && !isTokenizer(path);
const isTokenizer = (path: string) => /(^|\/)(tokenizer|tokenizer_config)\.json$/i.test(path);

async function kindOf(files: readonly DroppedFile[]): Promise<SeenData> {
  const arrays = files.find(({ path }) => /\.npz$/i.test(path));
  if (arrays) return { kind: "arrays", name: arrays.path, columns: [] };
  const table = files.find(isTable);
  if (table) {
    const hasTokenizer = files.some(({ path }) => isTokenizer(path));
    const columns = tableColumns(await sourceOf(table));
    return { kind: hasTokenizer ? "texts" : "table", name: table.path, columns };
  }
  const zip = files.find(({ path }) => /\.zip$/i.test(path));
  const name = zip?.path ?? `${files.length} files`;
  return { kind: "pictures", name, columns: [] };
}

async function read({
  model: modelFiles,
  data,
  reading,
}: Extract<Question, { kind: "read" }>): Promise<ReadData> {
  const model = await open(modelFiles);
  const { kind } = await kindOf(data);
  const dataset = await readers[kind](data, model, reading);
  return { ...dataset, warnings: (dataset.warnings ?? []).map(({ message }) => message) };
}

type Reader = (files: readonly DroppedFile[], model: Model, reading: Reading) => Promise<Dataset>;

const readers: Readonly<Record<SeenData["kind"], Reader>> = {
  async arrays(files, { inputs }, { targets }) {
    const file = files.find(({ path }) => /\.npz$/i.test(path));
    return npzDataset(await sourceOf(file), { targets, ...(inputs.length > 0 && { inputs }) });
  },
  async table(files, { inputs }, { target, targets, ignored }) {
    if (inputs.some(({ name }) => name === "input_ids"))
      throw new TypeError("This model reads texts by their tokens: drop its tokenizer.json, too.");
    const ignore = ignored.split(",").flatMap((name) => name.trim() || []);
    return tableDataset(await sourceOf(files.find(isTable)), { target, targets, ignore });
  },
  async texts(files, model, { target, text, targets }) {
    const rows = labelledTexts(await sourceOf(files.find(isTable)), { text, label: target });
    const [json, config] = await Promise.all(
      ["tokenizer.json", "tokenizer_config.json"].map(async (name) => {
        const file = files.find(({ path }) => path.toLowerCase().endsWith(name));
        return file && (JSON.parse(await file.file.text()) as Readonly<Record<string, unknown>>);
      }),
    );
    const length = model.inputs.find(({ name }) => name === "input_ids")?.dimensions?.[1];
    return textDataset(rows, {
      tokenizer: await openTokenizer(json ?? {}, config),
      maxLength: 128,
      inputs: model.inputs.map(({ name }) => name),
      targets,
      ...(typeof length === "number" && { length }),
    });
  },
  async pictures(files, model) {
    const zip = files.find(({ path }) => /\.zip$/i.test(path));
    const folder: ListedFiles = zip ? await zippedFiles(await sourceOf(zip)) : await droppedFiles(files);
    const [, channels, height, width] = model.inputs[0]?.dimensions ?? [];
    return imageFolder(folder, {
      decode: decodePicture,
      ...(channels === 3 && { channels }),
      ...(typeof height === "number" && typeof width === "number" && { size: { height, width } }),
    });
  },
};

async function sourceOf(file: DroppedFile | undefined): Promise<SourceFile> {
  if (!file) throw new TypeError("The file has gone; drop it again.");
  return { name: file.path, bytes: new Uint8Array(await file.file.arrayBuffer()) };
}

/** What is moved to the page, not copied. */
function buffersOf({ train, test }: ReadData): ArrayBuffer[] {
  const arrays = [train, test].flatMap(({ inputs, labels, furtherInputs = {} }) => [
    inputs,
    labels,
    ...Object.values(furtherInputs).map(({ values }) => values),
  ]);
  return [...new Set(arrays.map(({ buffer }) => buffer as ArrayBuffer))];
}
