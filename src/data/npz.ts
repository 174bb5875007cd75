import { checkExamples, type Dataset, type Examples, IGNORED_LABEL } from "./dataset.ts";
import { measureNormalization, measureTargets } from "./normalization.ts";
import { type NpyArray, parseNpy } from "./npy.ts";
import { defaultTestFraction, splitTest } from "./split.ts";
import type { SourceFile } from "./store.ts";

export interface NpzOptions {
  /** classes: labels are class numbers. values: they are target values. */
  readonly targets: "classes" | "values";
  /** Names of inputs and labels, and of those to test on. Default: the first of `usualArrays` that the file has. */
  readonly arrays?: readonly string[];
  /** Share set aside for testing where there are no arrays for it. Default 0.2; 1 takes all. */
  readonly testFraction?: number;
}

/** Names under which arrays are looked for. */
const usualArrays: readonly (readonly string[])[] = [
  ["x_train", "y_train", "x_test", "y_test"],
  ["inputs", "labels"],
  ["x", "y"],
];

/**
 * Reads arrays from a .npz file. Inputs are [count, …shape of an example]; bytes stand for value / 255, other numbers
 * for themselves. Labels are [count] or [count, 1] class numbers, or [count, …] target values.
 * @throws when the file is damaged, an array is missing, or arrays do not fit; the message names file and array.
 */
export async function npzDataset(file: SourceFile, options: NpzOptions): Promise<Dataset> {
  const arrays = await readNpz(file);
  const names = options.arrays ?? usualArrays.find((list) => list.every((name) => arrays.has(name)));
  if (names === undefined || (names.length !== 2 && names.length !== 4)) {
    throw new Error(
      `${file.name}: has the arrays ${describe(arrays)}, expected ${usualArrays.map((list) => list.join(", ")).join("; or ")}; ` +
        "name them: --arrays inputs,labels or --arrays inputs,labels,test-inputs,test-labels",
    );
  }
  const [inputs = "", labels = "", testInputs = "", testLabels = ""] = names;
  const all = asExamples(file.name, arrays, inputs, labels, options);
  const own = names.length === 4 ? asExamples(file.name, arrays, testInputs, testLabels, options) : undefined;
  if (own && own.shape.join() !== all.shape.join()) {
    throw new Error(
      `${file.name}: examples of '${inputs}' have the shape [${all.shape}] and those of '${testInputs}' [${own.shape}], ` +
        "expected the same; save arrays that belong together",
    );
  }
  const classes = options.targets === "classes" ? countClasses([all, ...(own ? [own] : [])]) : 0;
  const { train, test } = own
    ? { train: all, test: own }
    : splitTest(all, options.testFraction ?? defaultTestFraction, file.name);
  return {
    name: "npz",
    classes,
    normalization: measureNormalization(train),
    targetNormalization: options.targets === "values" ? measureTargets(train) : undefined,
    train,
    test,
  };
}

/**
 * Reads the arrays of a .npz file; CRC-32 and lengths are checked on the way.
 * @throws when the file is no ZIP archive, is truncated or damaged, or holds anything but arrays of numbers.
 */
export async function readNpz({ name, bytes }: SourceFile): Promise<Map<string, NpyArray>> {
  const arrays = new Map<string, NpyArray>();
  for (const [path, content] of await unzip(name, bytes))
    arrays.set(path.replace(/\.npy$/, ""), parseNpy(content, `${name}: '${path}'`));
  return arrays;
}

async function unzip(name: string, bytes: Uint8Array): Promise<[string, Uint8Array][]> {
  // Loaded only here: it takes a while to start.
  const zip = await import("@zip.js/zip.js");
  const reader = new zip.ZipReader(new zip.Uint8ArrayReader(bytes), {
    useWebWorkers: false,
    checkSignature: true,
    checkOverlappingEntry: true,
  });
  try {
    const files: [string, Uint8Array][] = [];
    for (const entry of await reader.getEntries())
      if (!entry.directory) files.push([entry.filename, await entry.getData(new zip.Uint8ArrayWriter())]);
    return files;
  } catch (cause) {
    throw new Error(
      `${name}: truncated or damaged .npz archive, ${bytes.length} bytes (${(cause as Error).message}); save it again`,
      { cause },
    );
  } finally {
    await reader.close();
  }
}

function asExamples(
  source: string,
  arrays: ReadonlyMap<string, NpyArray>,
  inputName: string,
  labelName: string,
  { targets }: NpzOptions,
): Examples {
  const [inputs, labels] = [arrayOf(source, arrays, inputName), arrayOf(source, arrays, labelName)];
  const [count = 0, ...shape] = inputs.shape;
  if (inputs.shape.length < 2 || count === 0) {
    throw new Error(
      `${source}: '${inputName}' has the shape [${inputs.shape}], expected [examples, …] with at least two axes; reshape it`,
    );
  }
  if (labels.shape[0] !== count) {
    throw new Error(
      `${source}: '${inputName}' has ${count} examples and '${labelName}' has the shape [${labels.shape}], expected as ` +
        "many labels; save arrays that belong together",
    );
  }
  const examples = {
    count,
    shape,
    inputs: inputs.data instanceof Uint8Array ? inputs.data : Float32Array.from(inputs.data),
    labels: targets === "values" ? Float32Array.from(labels.data) : classNumbers(source, labelName, labels),
  };
  checkExamples(examples, `${source}: '${inputName}' with '${labelName}'`, Number.POSITIVE_INFINITY);
  return examples;
}

function classNumbers(source: string, name: string, { shape, data }: NpyArray): Int32Array {
  const perExample = shape.slice(1).reduce((product, size) => product * size, 1);
  if (perExample !== 1) {
    throw new Error(
      `${source}: '${name}' has the shape [${shape}], expected one class number an example; take the argmax of one-hot ` +
        "rows, or use --loss mean-squared-error for target values",
    );
  }
  const wrong = data.findIndex(
    (value) => !(Number.isInteger(value) && (value >= 0 || value === IGNORED_LABEL)),
  );
  if (wrong !== -1) {
    throw new Error(
      `${source}: '${name}' holds ${data[wrong]} for example ${wrong}, expected class numbers from 0 (or ${IGNORED_LABEL} to ` +
        "ignore the example); for target values use --loss mean-squared-error",
    );
  }
  return Int32Array.from(data);
}

/** At least two. */
function countClasses(parts: readonly Examples[]): number {
  let largest = 1;
  for (const { labels } of parts) for (const label of labels) largest = Math.max(largest, label);
  return largest + 1;
}

function arrayOf(source: string, arrays: ReadonlyMap<string, NpyArray>, name: string): NpyArray {
  const array = arrays.get(name);
  if (array !== undefined) return array;
  throw new Error(`${source}: no array '${name}', received ${describe(arrays)}; correct --arrays`);
}

function describe(arrays: ReadonlyMap<string, NpyArray>): string {
  const list = [...arrays].map(([name, { shape, type }]) => `'${name}' ${type} [${shape}]`);
  return list.length > 0 ? list.join(", ") : "none";
}
