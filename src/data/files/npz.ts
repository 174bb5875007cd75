/** Arrays of .npz and .npy files as examples, with labels or without. */
import { isArrayOf } from "../../arrays/kind.ts";
import { DataError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import { howToRaise, type Limits, limitsWith } from "../../limits/limits.ts";
import { checkFurther } from "../check-further.ts";
import { checkExamples, type Dataset, describePosition, type Examples, IGNORED_LABEL } from "../dataset.ts";
import { measureNormalization, measureTargets } from "../normalization.ts";
import { defaultTestFraction, splitTest } from "../split.ts";
import type { SourceFile } from "../store.ts";
import { equalAsFloat32, hasLargeNumbers, losesSpread } from "./float32.ts";
import { isNpy, type NpyArray, parseNpy } from "./npy.ts";
import { type Archive, readArray, withArchive } from "./npz-archive.ts";
import {
  type ArrayChoice,
  checkHoldsNumbers,
  chooseArrays,
  chooseInputs,
  inputsFrom,
  inputsOf,
  type NamedInput,
} from "./npz-arrays.ts";

/** How arrays of an npz file become examples. */
export interface NpzOptions {
  /** classes: labels are class numbers. values: they are target values. */
  readonly targets: "classes" | "values";
  /**
   * Names of inputs and labels, and of those to test on. Default: x_train, y_train, x_test, y_test; or inputs, labels; or x, y,
   * whichever the file has first. For a model of several inputs: the names of these, then the labels'.
   */
  readonly arrays?: readonly string[];
  /** The model's inputs, `inputs` of a decoded model: arrays that are called like them are read as what they take. */
  readonly inputs?: readonly NamedInput[];
  /** A file of its own to test on, with arrays of the same names. Default: arrays of the file, or a part of them. */
  readonly test?: SourceFile;
  /** A file of its own to validate on, with arrays of the same names. */
  readonly validation?: SourceFile;
  /** Share set aside for testing where there are no arrays for it. Default 0.2; 1 takes all. */
  readonly testFraction?: number;
  /** What the file may ask for. */
  readonly limits?: Partial<Limits>;
}

/**
 * Reads arrays from a .npz file, and only those that are asked for. Inputs are [count, …shape of an example]; bytes stand
 * for value / 255, other numbers for themselves. Labels are [count] class numbers, or [count, …], one for each position;
 * or [count, …] target values.
 * @throws when the file is damaged, an array is missing, or arrays do not fit; the message names file and array.
 */
export async function npzDataset(file: SourceFile, options: NpzOptions): Promise<Dataset> {
  const limits = limitsWith(options.limits);
  const { inputs: model } = options;
  const main = await withArchive(file, limits, async (archive): Promise<OpenedArrays> => {
    const choice = await chooseArrays(archive, options.arrays, model);
    return { source: file.name, choice, arrays: await readArrays(archive, namesIn(choice)) };
  });
  // Files of their own hold arrays of the same names, or of usual ones.
  const beside = (own: SourceFile | undefined) =>
    own &&
    withArchive(own, limits, async (archive): Promise<OpenedArrays> => {
      const { inputs, labels } = main.choice;
      const areThere = [...inputs, labels].every((name) => archive.has(name));
      const choice =
        areThere || options.arrays ? { inputs, labels } : await chooseArrays(archive, undefined, model);
      return {
        source: own.name,
        choice,
        arrays: await readArrays(archive, namesIn({ ...choice, test: undefined })),
      };
    });
  return asDataset(
    main,
    { test: await beside(options.test), validation: await beside(options.validation) },
    options,
    limits,
  );
}

/** Arrays that were read, and which of them are what. */
interface OpenedArrays {
  readonly source: string;
  readonly choice: ArrayChoice;
  readonly arrays: ReadonlyMap<string, NpyArray>;
}

function namesIn({ inputs, labels, test }: ArrayChoice): string[] {
  return [...inputs, labels, ...(test ? [...test.inputs, test.labels] : [])];
}

async function readArrays(
  archive: Archive,
  names: readonly string[],
): Promise<ReadonlyMap<string, NpyArray>> {
  const arrays = new Map<string, NpyArray>();
  for (const name of new Set(names)) arrays.set(name, await readArray(archive, name));
  return arrays;
}

/**
 * Reads inputs alone, [count, …shape of an example], from a .npz file, or from a .npy file, which is one array.
 *
 * @param options `arrays`: their names. Default: the only one, or the first of `x_test`, `inputs`, `x`, `x_train` that the file has;
 *   of a model that has several `inputs`, those that are called like them
 * @throws when the file is damaged or has no such array; the message names file and array
 */
export async function npzInputs(
  file: SourceFile,
  { arrays: chosen, inputs: model, limits: changed }: Pick<NpzOptions, "arrays" | "inputs" | "limits">,
): Promise<Omit<Examples, "labels">> {
  const limits = limitsWith(changed);
  if (isNpy(file.bytes)) return inputsOf(file.name, "the array", parseNpy(file.bytes, file.name));
  return withArchive(file, limits, async (archive) => {
    const names = await chooseInputs(archive, chosen, model);
    return inputsFrom(file.name, await readArrays(archive, names), names, model);
  });
}

function asDataset(
  main: OpenedArrays,
  {
    test: testFile,
    validation: validationFile,
  }: Readonly<Record<"test" | "validation", OpenedArrays | undefined>>,
  options: NpzOptions,
  limits: Limits,
): Dataset {
  const { source, arrays, choice } = main;
  const all = asExamples(main, options, limits);
  const beside = (other: OpenedArrays): Examples => {
    const own = asExamples(other, options, limits);
    if (own.shape.join() === all.shape.join()) return own;
    throw new DataError(
      `${other.source}: examples of '${choice.inputs[0]}' have the shape [${all.shape}] and those of '${other.choice.inputs[0]}' [${own.shape}], ` +
        "expected the same; save arrays that belong together",
      { source: other.source },
    );
  };
  const own = testFile ? beside(testFile) : choice.test && beside({ source, arrays, choice: choice.test });
  const validation = validationFile && beside(validationFile);
  const classes = options.targets === "classes" ? countClasses([all, own, validation]) : 0;
  const { train, test } = own
    ? { train: all, test: own }
    : splitTest(all, options.testFraction ?? defaultTestFraction, source);
  const { inputs, labels } = choice;
  const rounded = namesIn(
    options.targets === "classes"
      ? { ...choice, labels: "", test: choice.test && { ...choice.test, labels: "" } }
      : choice,
  );
  return {
    name: "npz",
    classes,
    normalization: measureNormalization(train),
    targetNormalization: options.targets === "values" ? measureTargets(train) : undefined,
    train,
    test,
    ...(validation && { validation }),
    warnings: [
      ...rounded.flatMap((name) => roundingWarning(source, name, arrays.get(name))),
      ...inputs.flatMap((name) => channelWarning(source, name, arrays.get(name))),
      // At positions, a model file says how many classes there are: those of tokens are words of a vocabulary.
      ...(options.targets === "classes" && all.labels.length === all.count
        ? classWarning(source, labels, all.labels, classes)
        : []),
    ].map((warning) => words`${warning}`),
  };
}

/**
 * Reads the arrays of a .npz file; CRC-32 and lengths are checked on the way. Files of other kinds are passed over.
 * @param names the arrays to read. Default: all of them.
 * @throws when the file is no ZIP archive, is truncated or damaged, or an array that is read holds anything but numbers.
 */
export async function readNpz(
  file: SourceFile,
  names?: readonly string[],
  limits: Partial<Limits> = {},
): Promise<Map<string, NpyArray>> {
  return withArchive(file, limitsWith(limits), async (archive) => {
    const arrays = new Map<string, NpyArray>();
    for (const name of names ?? archive.names) arrays.set(name, await readArray(archive, name));
    return arrays;
  });
}

/** Whole numbers that inputs, as 32-bit floats, do not tell apart. */
function roundingWarning(source: string, name: string, array: NpyArray | undefined): string[] {
  if (array === undefined || array.data.length === 0 || isArrayOf("Float32Array", array.data)) return [];
  const remedy = `Subtract a number near them, or divide: ${name} - ${name}.min()`;
  const start = `${source}: '${name}' (${array.type}) holds whole numbers that 32-bit floats cannot tell apart`;
  if (hasLargeNumbers(array.data)) {
    const size = array.data.length / (array.shape[0] ?? 1);
    for (let index = 0; index < size; index++) {
      const pair = equalAsFloat32(array.data, index, size);
      if (pair === undefined) continue;
      const [first, second] = pair.map((example) => array.data[example * size + index]);
      return [`${start}, such as ${first} and ${second} (examples ${pair.join(" and ")}). ${remedy}`];
    }
  }
  if (array.isRounded) return [`${start}: beyond 2^53. ${remedy}`];
  const size = array.data.length / (array.shape[0] ?? 1);
  for (let index = 0; index < size; index++) {
    if (!losesSpread(array.data, index, size)) continue;
    return [
      `${source}: '${name}' (${array.type}) holds numbers that differ from example to example by less than 32-bit floats tell ` +
        `apart at their size, such as ${array.data[index]}. Subtract a number near them, or multiply`,
    ];
  }
  return [];
}

/** Images as cameras and TensorFlow order them. */
function channelWarning(source: string, name: string, array: NpyArray | undefined): string[] {
  const [height = 0, width = 0, channels = 0, ...more] = array?.shape.slice(1) ?? [];
  if (more.length > 0 || ![1, 3, 4].includes(channels) || Math.min(height, width) <= 4) return [];
  return [
    `${source}: '${name}' has examples of the shape [${height},${width},${channels}], which looks like images with their channels ` +
      `last. Where a model expects them first: numpy.moveaxis(${name}, -1, 1)`,
  ];
}

/** Class numbers with gaps, each of which makes an output that nothing trains. */
function classWarning(source: string, name: string, labels: Examples["labels"], classes: number): string[] {
  const used = new Set(labels);
  used.delete(IGNORED_LABEL);
  const missing = classes - used.size;
  if (used.size < 2 || (used.has(0) && missing <= used.size)) return [];
  const gap = used.has(0) ? `leaves out ${missing} of them` : "begins above 0";
  return [
    `${source}: '${name}' holds class numbers up to ${classes - 1}, which makes ${classes} classes, and ${gap}. Number the classes ` +
      `from 0 (numpy.unique(${name}, return_inverse=True)[1]); labels that do not count are ${IGNORED_LABEL}`,
  ];
}

function asExamples(
  { source, arrays, choice: { inputs, labels: labelName } }: OpenedArrays,
  { targets, inputs: model }: NpzOptions,
  limits: Limits,
): Examples {
  const labels = arrays.get(labelName);
  if (labels === undefined) throw new DataError(`${source}: an array is missing`, { source });
  const read = inputsFrom(source, arrays, inputs, model);
  const { count, furtherInputs } = read;
  const list = inputs.map((name) => `'${name}'`).join(", ");
  checkHoldsNumbers(source, labelName, labels);
  if (labels.shape[0] !== count) {
    throw new DataError(
      `${source}: ${list} ${inputs.length === 1 ? "has" : "have"} ${count} examples and '${labelName}' has the shape [${labels.shape}], expected as ` +
        "many labels; save arrays that belong together",
      { source },
    );
  }
  const examples = {
    ...read,
    labels:
      targets === "values" ? Float32Array.from(labels.data) : classNumbers(source, labelName, labels, limits),
    ...(labels.shape.length > 1 && { targetShape: labels.shape.slice(1) }),
  };
  const name = `${source}: ${list} with '${labelName}'`;
  checkExamples(examples, name, Number.POSITIVE_INFINITY);
  if (furtherInputs) checkFurther(furtherInputs, count, name);
  return examples;
}

/** Class numbers, one an example or one for each of its positions. */
function classNumbers(source: string, name: string, array: NpyArray, limits: Limits): Int32Array {
  const { type, shape, data } = array;
  if (isOneHot(type, shape, data)) {
    throw new DataError(
      words`${source}: '${name}' has the shape [${shape}] and one-hot rows, expected class numbers; take the argmax of
        each row, or use ${option("targets", "values")} for target values`,
      { source },
    );
  }
  const describe = (at: number) => describePosition({ count: shape[0] ?? 1, labels: data }, at);
  const wrong = data.findIndex(
    (value) => !(Number.isInteger(value) && ((value >= 0 && value < 2 ** 31) || value === IGNORED_LABEL)),
  );
  if (wrong !== -1) {
    throw new DataError(
      words`${source}: '${name}' holds ${data[wrong]} for ${describe(wrong)}, expected class numbers from 0 (or
        ${IGNORED_LABEL} to ignore it); for target values use ${option("targets", "values")}`,
      { source },
    );
  }
  const large = data.findIndex((value) => value >= limits.classes);
  if (large !== -1) {
    throw new DataError(
      words`${source}: '${name}' holds the class number ${data[large]} for ${describe(large)}, which asks for
        ${((data[large] as number) + 1).toLocaleString("en")} classes; ${howToRaise("classes", limits)} Otherwise
        number the classes from 0 (numpy.unique(${name}, return_inverse=True)[1])`,
      { source },
    );
  }
  return Int32Array.from(data);
}

/** Whether each row of a matrix of floats holds a 1 and otherwise 0: no class numbers, which are whole numbers by type. */
function isOneHot(
  type: string,
  [rows = 0, columns = 0, ...more]: readonly number[],
  data: NpyArray["data"],
): boolean {
  if (!type.startsWith("float") || columns < 2 || more.length > 0) return false;
  for (let row = 0; row < rows; row++) {
    const values = Array.from(data.subarray(row * columns, (row + 1) * columns));
    if (values.filter((value) => value === 1).length !== 1) return false;
    if (values.filter((value) => value === 0).length !== columns - 1) return false;
  }
  return true;
}

/** At least two. */
function countClasses(parts: readonly (Examples | undefined)[]): number {
  let largest = 1;
  for (const part of parts) for (const label of part?.labels ?? []) largest = Math.max(largest, label);
  return largest + 1;
}
