/** Which arrays of a .npz file are inputs and which are labels, and arrays as what examples hold for a model's inputs. */
import { isArrayOf } from "../../arrays/kind.ts";
import { DataError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import type { Examples } from "../dataset.ts";
import type { NpyArray } from "./npy.ts";
import { type Archive, describeArrays } from "./npz-archive.ts";

/** An input of a model, as arrays are looked for by its name. */
export interface NamedInput {
  readonly name: string;
  /** Type of its numbers: bytes are pixels where it is a float's. */
  readonly dtype: string;
}

/** Which arrays become examples. */
export interface ArrayChoice {
  /** One array, or one for each of a model's inputs, by their names. */
  readonly inputs: readonly string[];
  readonly labels: string;
  /** The same of the examples to test on. Default: they are split off. */
  readonly test?: { readonly inputs: readonly string[]; readonly labels: string };
}

/** Names under which arrays are looked for. */
const usualArrays: readonly (readonly string[])[] = [
  ["x_train", "y_train", "x_test", "y_test"],
  ["inputs", "labels"],
  ["x", "y"],
];

/** Names under which the labels of named inputs are looked for. */
const usualLabels: readonly string[] = ["labels", "label", "y", "targets", "target"];

/** Names under which inputs alone are looked for. */
const usualInputs: readonly string[] = ["x_test", "inputs", "x", "x_train"];

/**
 * Which arrays an archive's inputs and labels are: those that are named, or else those of usual names; arrays that are called like a
 * model's inputs come first where it has several.
 *
 * @throws DataError that lists the arrays where none of these are there
 */
export async function chooseArrays(
  archive: Archive,
  arrays: readonly string[] | undefined,
  model: readonly NamedInput[] = [],
): Promise<ArrayChoice> {
  const { source } = archive;
  if (archive.names.length === 0) {
    throw new DataError(
      `${source}: a ZIP archive without NumPy arrays, expected a .npz archive, as numpy.savez("data.npz", x=…, y=…) writes it ` +
        "(of PyTorch's tensors: x=x.numpy()); save the arrays so",
      { source },
    );
  }
  if (arrays && arrays.length > 2 && arrays.slice(0, -1).every(isInputOf(model)))
    return { inputs: arrays.slice(0, -1), labels: arrays.at(-1) as string };
  const named = arrays ? undefined : namedArrays(archive, model);
  const usual = arrays ?? usualNames(archive);
  const list = model.length > 1 && named ? undefined : usual;
  if (list?.length === 2 || list?.length === 4) {
    const [inputs = "", labels = "", testInputs = "", testLabels = ""] = list;
    const test = list.length === 4 && { test: { inputs: [testInputs], labels: testLabels } };
    return { inputs: [inputs], labels, ...test };
  }
  if (named) return named;
  const expected = [
    ...(model.length > 1 ? [`${model.map(({ name }) => name).join(", ")}, labels`] : []),
    ...usualArrays.map((names) => names.join(", ")),
  ];
  throw new DataError(
    words`${source}: has the arrays ${await describeArrays(archive)}, expected
      ${expected.join("; or ")}; name them:
      ${option("arrays", ["inputs", "labels"])} or
      ${option("arrays", ["inputs", "labels", "test-inputs", "test-labels"])}`,
    { source },
  );
}

/**
 * Which arrays an archive's inputs alone are, as `chooseArrays`; names to train on may be given, of which those to test on are asked.
 *
 * @throws DataError that lists the arrays
 */
export async function chooseInputs(
  archive: Archive,
  arrays: readonly string[] | undefined,
  model: readonly NamedInput[] = [],
): Promise<readonly string[]> {
  const inputs = model.filter(({ name }) => archive.has(name)).map(({ name }) => name);
  if (arrays) {
    const isInput = isInputOf(model);
    if (arrays.length > 1 && arrays.slice(0, -1).every(isInput)) return arrays.filter(isInput);
    const [asked = "", , tested = asked] = arrays;
    return [tested];
  }
  if (model.length > 1 && inputs.length > 0) return inputs;
  const only = archive.names.length === 1 ? archive.names : [];
  const found = [...only, ...usualInputs].flatMap(
    (name) => archive.names.find((other) => other.toLowerCase() === name.toLowerCase()) ?? [],
  );
  if (found[0] !== undefined) return found.slice(0, 1);
  if (inputs.length > 0) return inputs;
  const { source } = archive;
  throw new DataError(
    words`${source}: has the arrays ${await describeArrays(archive)}, expected inputs called
      ${[...model.map(({ name }) => name), ...usualInputs].join(", ")}; name them: ${option("arrays", ["inputs"])}`,
    { source },
  );
}

function isInputOf(model: readonly NamedInput[]): (name: string) => boolean {
  return (name) => model.some((input) => input.name === name);
}

/** Arrays that are called like a model's inputs, with their labels, where they are there. */
function namedArrays(archive: Archive, model: readonly NamedInput[]): ArrayChoice | undefined {
  const inputs = model.filter(({ name }) => archive.has(name)).map(({ name }) => name);
  const labels = usualLabels.find((name) => archive.has(name) && !inputs.includes(name));
  return inputs.length > 0 && labels !== undefined ? { inputs, labels } : undefined;
}

/** The first list of usual names that the archive has, as it writes them: X_train or x_train. */
function usualNames(archive: Archive): readonly string[] | undefined {
  for (const list of usualArrays) {
    const found = list.map((name) =>
      archive.has(name) ? [name] : archive.names.filter((other) => other.toLowerCase() === name),
    );
    if (found.every((names) => names.length === 1)) return found.flat();
  }
  return undefined;
}

/**
 * Arrays as inputs: the first that a model takes as floats, or else the first, is the main one.
 *
 * @param names of the arrays, which are those of the model's inputs where there are several
 * @throws DataError where they do not fit together
 */
export function inputsFrom(
  source: string,
  arrays: ReadonlyMap<string, NpyArray>,
  names: readonly string[],
  model: readonly NamedInput[] = [],
): Omit<Examples, "labels"> {
  const typeOf = (name: string) => model.find((input) => input.name === name)?.dtype ?? "float32";
  const isFloat = (name: string) => /float|double/.test(typeOf(name));
  const main = names.find(isFloat) ?? names[0] ?? "";
  const read = (name: string) =>
    inputsOf(source, name, arrays.get(name) as NpyArray, {
      isAlone: names.length === 1,
      isFloat: isFloat(name),
    });
  const first = read(main);
  const further = names
    .filter((name) => name !== main)
    .map((name) => {
      const { count, shape, inputs: values } = read(name);
      if (count !== first.count) {
        throw new DataError(
          `${source}: '${main}' has ${first.count} examples and '${name}' has ${count}, expected as many; save arrays that ` +
            "belong together",
          { source },
        );
      }
      return [name, { shape, values }] as const;
    });
  return further.length === 0 ? first : { ...first, furtherInputs: Object.fromEntries(further) };
}

/** An array as inputs. @param as whether it is all that examples hold, and whether it is read as floats */
export function inputsOf(
  source: string,
  name: string,
  array: NpyArray,
  { isAlone, isFloat }: { readonly isAlone: boolean; readonly isFloat: boolean } = {
    isAlone: true,
    isFloat: true,
  },
): Omit<Examples, "labels"> {
  checkHoldsNumbers(source, name, array);
  const [count = 0, ...shape] = array.shape;
  if (array.shape.length < (isAlone ? 2 : 1) || count === 0) {
    throw new DataError(
      `${source}: '${name}' has the shape [${array.shape}], expected [examples, …] with at least two axes; reshape it`,
      { source },
    );
  }
  const { data } = array;
  if (isFloat)
    return { count, shape, inputs: isArrayOf("Uint8Array", data) ? data : Float32Array.from(data) };
  const inputs = Float32Array.from(data);
  const rounded = inputs.findIndex((value, at) => value !== data[at]);
  if (rounded === -1 && !array.isRounded) return { count, shape, inputs };
  throw new DataError(
    `${source}: '${name}' (${array.type}) holds ${rounded === -1 ? "numbers beyond 2^53" : data[rounded]}, and the model takes ` +
      "whole numbers there, which are read up to 2^24; save token or category numbers",
    { source },
  );
}

/** Every axis has a size, and there is at least one. */
export function checkHoldsNumbers(source: string, name: string, { shape, type }: NpyArray): void {
  const empty = shape.indexOf(0);
  if (shape.length > 0 && empty === -1) return;
  const problem =
    shape.length === 0
      ? "is a single number, without axes"
      : empty === 0
        ? `has the shape [${shape}]: it holds no examples`
        : `has the shape [${shape}]: axis ${empty} has the size 0, so its examples hold no numbers`;
  throw new DataError(
    `${source}: '${name}' (${type}) ${problem}, expected [examples, …]; save the whole array`,
    { source },
  );
}
