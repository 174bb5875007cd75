/** A training run of the command line as a TypeScript program that does the same. */
import { basename } from "node:path";
import type { Dataset } from "../data/dataset.ts";
import { datasets } from "../data/sets/list.ts";
import type { Model } from "../onnx/read-model.ts";
import type { Option, Options } from "../settings/option.ts";
import { trainOptions } from "../train/settings/options.ts";
import { withAdapter } from "./flags/adapter-flags.ts";
import { lossData, lossName } from "./flags/chosen-loss.ts";
import { headDimensions } from "./flags/head-flags.ts";
import type { SettingData } from "./flags/setting-flags.ts";
import { textColumns, tokenizerConfig, tokenizerFile } from "./flags/text-data.ts";
import { conllColumns } from "./flags/token-data.ts";
import type { TrainFlags } from "./flags/training-command.ts";

/** The program. @param dataset, imported for what follows from the data, and from a model file */
export function repeatCode(flags: TrainFlags, dataset: Dataset, imported?: Pick<Model, "inputs">): string {
  const settings = withAdapter(flags.settings, flags);
  const isFile = flags.model.endsWith(".onnx");
  const isContrast = lossName(settings) === "contrast";
  const data = dataCode(flags, dataset, lossName(settings) === "cross-entropy" ? "classes" : "values");
  const model = imported
    ? fileCode(flags, settings, { dataset, imported })
    : modelCode(flags, settings, dataset);
  const { resume, overwrite, allowChanges, ...given } = isFile
    ? settings
    : lossData(settings, { targetNormalization: dataset.targetNormalization });
  // Of a stream, they are set aside where it is opened.
  const course = dataset.stream ? { ...given, validation: undefined } : given;
  const device = { device: flags.device === "cpu" ? undefined : flags.device, threads: flags.threads };
  const entries = [
    ...[
      "model,",
      `examples: dataset.${dataset.stream ? "stream ?? dataset.train" : "train"},`,
      "test: dataset.test,",
    ],
    ...(dataset.validation ? ["validation: dataset.validation,"] : []),
    `runtime: nodeRuntime(${objectCode(device)}),`,
    `store: runFolder(${text(flags.out)}),`,
    ...settingLines(trainOptions, isContrast ? { ...course, loss: undefined } : course),
    ...(isContrast ? [`loss: contrast(${objectCode(contrastOptionsOf(course))}),`] : []),
    ...(flags.augment ? [`augment: ${JSON.stringify(flags.augment)},`] : []),
  ];
  const edits = [
    ...(flags.head === undefined ? [] : ["withHead"]),
    ...(flags.standardize ? ["withStandardizedInput"] : []),
  ];
  const node = ["nodeRuntime", "runFolder", ...(isFile ? ["loadModel"] : []), ...data.node].sort();
  const autodiff = isContrast ? ['import { contrast } from "forwardgrad/autodiff";'] : [];
  const own = ["train", ...(isFile ? [] : [builderOf(flags.model)])].sort();
  return [
    ...data.system,
    `import { ${own.join(", ")} } from "forwardgrad";`,
    ...autodiff,
    `import { ${data.data.join(", ")} } from "forwardgrad/data";`,
    `import { ${node.join(", ")} } from "forwardgrad/node";`,
    ...(edits.length === 0 ? [] : [`import { ${edits.join(", ")} } from "forwardgrad/onnx";`]),
    "",
    ...data.lines,
    `const model = ${model};`,
    "let result: unknown;",
    "for await (const event of train({",
    ...entries.map((line) => `  ${line}`),
    "}))",
    '  if (event.kind === "done") result = event.result;',
  ].join("\n");
}

/** What contrast is asked for beside its name. */
function contrastOptionsOf({ loss }: SettingData): Readonly<Record<string, unknown>> {
  return typeof loss === "object" && loss !== null ? { ...loss, name: undefined } : {};
}

interface DataCode {
  /** Names from `forwardgrad/data` and `forwardgrad/node`, and imports of Node itself. */
  readonly data: readonly string[];
  readonly node: readonly string[];
  readonly system: readonly string[];
  /** What makes `dataset`. */
  readonly lines: readonly string[];
}

function dataCode(
  flags: TrainFlags,
  { texts, stream, train: { furtherInputs } }: Dataset,
  targets: "classes" | "values",
): DataCode {
  const { data, dataDir = "", dataFile = "", testFraction, header, decimal, limit: limits } = flags;
  const { categorical, ignoreColumns: ignore, target, arrays, imageSize: size, ignoreOrientation } = flags;
  const system = ['import { readFileSync } from "node:fs";'];
  const file = (path: string) =>
    `{ name: ${text(basename(path))}, bytes: new Uint8Array(readFileSync(${text(path)})) }`;
  /** Files of their own to test and to validate on. */
  const own = (read: (path: string) => string) =>
    Object.entries({ test: flags.testFile, validation: flags.validationFile }).flatMap(([name, path]) =>
      path === undefined ? [] : [`${name}: ${read(path)}`],
    );
  if (data === "csv") {
    const options = { target, targets, ignore, categorical, testFraction, header, decimal, limits };
    return {
      ...{ data: ["tableDataset"], node: [], system },
      lines: [`const dataset = tableDataset(${file(dataFile)}, ${objectCode(options, own(file))});`],
    };
  }
  if (data === "text") {
    const path = tokenizerFile(flags, flags.model);
    const config = tokenizerConfig(path);
    const json = (from: string) => `JSON.parse(readFileSync(${text(from)}, "utf8"))`;
    const { text: column, pair, maxLength } = textColumns(flags, texts);
    if (texts?.kind === "pairs") {
      const columns = objectCode({ text: column, pair, header, limits });
      const pairs = (from: string) => `textPairs(${file(from)}, ${columns})`;
      const encoding = {
        maxLength,
        testFraction,
        inputs: Object.keys(furtherInputs ?? {}).concat("input_ids"),
      };
      return {
        ...{ data: ["openTokenizer", "pairDataset", "textPairs"], node: [], system },
        lines: [
          `const tokenizer = await openTokenizer(${[path, ...(config === undefined ? [] : [config])].map(json).join(", ")});`,
          `const dataset = pairDataset(${pairs(dataFile)}, ${objectCode(encoding, ["tokenizer", ...own(pairs)])});`,
        ],
      };
    }
    const read = objectCode({ text: column, pair, label: flags.label, header, limits });
    const rows = (from: string) => `labelledTexts(${file(from)}, ${read})`;
    const options = {
      ...{ targets, maxLength, testFraction, buffer: flags.stream },
      held: stream && flags.settings.validation,
      inputs: Object.keys(furtherInputs ?? {}).concat("input_ids"),
    };
    const opened = `const tokenizer = await openTokenizer(${[path, ...(config === undefined ? [] : [config])].map(json).join(", ")});`;
    const made = objectCode(options, ["tokenizer", ...own(rows)]);
    const hasOwn = own(rows).length > 0;
    if (stream)
      return {
        data: [...(hasOwn ? ["labelledTexts"] : []), "openTokenizer", "textStreamDataset"],
        node: ["labelledTextStream"],
        system,
        lines: [
          opened,
          `const rows = () => labelledTextStream(${text(dataFile)}, ${read});`,
          `const dataset = await textStreamDataset(rows, ${made});`,
        ],
      };
    return {
      ...{ data: ["labelledTexts", "openTokenizer", "textDataset"], node: [], system },
      lines: [opened, `const dataset = textDataset(${rows(dataFile)}, ${made});`],
    };
  }
  if (data === "conll" || data === "next-token") {
    const path = tokenizerFile(flags, flags.model);
    const json = [path, tokenizerConfig(path)].flatMap((from) =>
      from === undefined ? [] : [`JSON.parse(readFileSync(${text(from)}, "utf8"))`],
    );
    const isWords = data === "conll";
    const columns = isWords ? objectCode(conllColumns(flags, texts)) : "";
    const read = (from: string) =>
      isWords ? `conllSentences(${file(from)}, ${columns})` : `readFileSync(${text(from)}, "utf8")`;
    const inputs = Object.keys(furtherInputs ?? {}).concat("input_ids");
    const options = { maxLength: texts?.maxLength, testFraction, inputs };
    const make = isWords ? "tokenDataset" : "nextTokenDataset";
    return {
      ...{ data: [...(isWords ? ["conllSentences"] : []), "openTokenizer", make], node: [], system },
      lines: [
        `const tokenizer = await openTokenizer(${json.join(", ")});`,
        `const dataset = ${make}(${read(dataFile)}, ${objectCode(options, ["tokenizer", ...own(read)])});`,
      ],
    };
  }
  if (data === "npz") {
    const options = { targets, arrays, testFraction, limits };
    const isFile = flags.model.endsWith(".onnx");
    const inputs = isFile ? [`inputs: loadModel(${text(flags.model)}).inputs`] : [];
    return {
      ...{ data: ["npzDataset"], node: [], system },
      lines: [
        `const dataset = await npzDataset(${file(dataFile)}, ${objectCode(options, [...own(file), ...inputs])});`,
      ],
    };
  }
  if (data === "images") {
    const held = flags.validationDir;
    const options = objectCode({ size, testFraction, ignoreOrientation, limits }, [
      "decode: decodePicture",
      ...(held === undefined ? [] : [`validation: folderStore(${text(held)})`]),
    ]);
    return {
      ...{ data: ["imageFolder"], node: ["decodePicture", "folderStore"], system: [] },
      lines: [`const dataset = await imageFolder(folderStore(${text(dataDir)}), ${options});`],
    };
  }
  const hasFiles = datasets.find(({ name }) => name === data)?.files !== undefined;
  if (!hasFiles || dataDir !== "") {
    const store = hasFiles ? [`store: folderStore(${text(dataDir)})`] : [];
    return {
      ...{ data: ["datasetNamed"], node: hasFiles ? ["folderStore"] : [], system: [] },
      lines: [`const dataset = await datasetNamed(${text(data)}).load(${objectCode({ seed: 0 }, store)});`],
    };
  }
  return {
    ...{ data: ["datasetNamed", "downloadStore"], node: ["cacheDirectory", "folderCache"], system: [] },
    lines: [
      `const known = datasetNamed(${text(data)});`,
      "if (!known.files) throw new Error(known.name);",
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a part of the program that is written
      "const cache = folderCache(`${cacheDirectory()}/${known.name}`);",
      "const dataset = await known.load({ store: downloadStore({ files: known.files, cache, fetch }), seed: 0 });",
    ],
  };
}

/** The function that builds a model of this name. */
function builderOf(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** A model file, with the new head that the flags ask for. */
function fileCode(
  flags: TrainFlags,
  { seed = 0, ...settings }: SettingData,
  { dataset, imported }: { readonly dataset: Dataset; readonly imported: Pick<Model, "inputs"> },
): string {
  const { headFrom: from, headPool: pool, besideHead: beside, headAlone: alone } = flags;
  const own = `loadModel(${text(flags.model)})`;
  const file = flags.standardize ? `withStandardizedInput(${own}, dataset.normalization)` : own;
  if (flags.head === undefined) return file;
  const outputs = flags.head === true ? outputsOf(dataset) : flags.head;
  const dimensions = headDimensions(imported, dataset, settings);
  return `await withHead(${file}, ${objectCode({ outputs, from, pool, beside, alone, seed, dimensions })})`;
}

function outputsOf({ classes, train }: Dataset): number {
  return classes || train.labels.length / train.count;
}

function modelCode(flags: TrainFlags, { seed = 0, ...settings }: SettingData, dataset: Dataset): string {
  const { hidden, activation, pooling, architecture, norm, width, layers, patch, heads } = flags;
  const shape = { hidden, activation, pooling, architecture, norm, width, layers, patch, heads };
  const outputs = outputsOf(dataset);
  const isScaled = lossName(settings) === "mean-squared-error" && dataset.targetNormalization;
  const lines = [
    "input: dataset.train.shape",
    "normalization: dataset.normalization",
    ...(isScaled ? ["targetNormalization: dataset.targetNormalization"] : []),
  ];
  return `${builderOf(flags.model)}(${objectCode({ outputs, ...shape, seed }, lines)})`;
}

/** Settings as properties, patterns as what the library takes. */
function settingLines(options: Options, settings: SettingData): string[] {
  return Object.entries(settings).flatMap(([name, value]) =>
    value === undefined ? [] : [`${key(name)}: ${valueCode(options[name], value)},`],
  );
}

function valueCode(option: Option | undefined, value: unknown): string {
  if (typeof value === "string" && option?.kind === "names")
    return `(name) => new RegExp(${text(value)}).test(name)`;
  if (typeof value === "string" && option?.kind === "pattern") return `new RegExp(${text(value)})`;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return JSON.stringify(value);
  const parts = Object.entries(value).filter(([, part]) => part !== undefined);
  return `{ ${parts.map(([name, part]) => `${key(name)}: ${valueCode(option?.parts?.[name], part)}`).join(", ")} }`;
}

/** An object of what is defined, after properties that are code. */
function objectCode(values: Readonly<Record<string, unknown>>, properties: readonly string[] = []): string {
  const own = Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [`${key(name)}: ${JSON.stringify(value)}`],
  );
  const all = [...properties, ...own];
  return all.length === 0 ? "" : `{ ${all.join(", ")} }`;
}

function key(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
}

function text(value: string): string {
  return JSON.stringify(value);
}
