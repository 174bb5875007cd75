/** What a model file says of the data that it was trained on, so that nobody has to say it again. */
import type { Dataset, KnownTexts, Normalization } from "../data/dataset.ts";
import type { Column } from "../data/files/columns.ts";
import { ModelError } from "../errors/errors.ts";
import { metadataOf, withMetadata } from "../onnx/metadata.ts";
import type { Model } from "../onnx/read-model.ts";

/** What a model file says about the data that it was trained on, so that other data can be read the same way. */
export type KnownData = Pick<Dataset, "columns" | "classNames" | "targetNormalization" | "texts">;

/** What a model file says about its input: 3 where it takes images [examples, 3, height, width]. */
export function imageChannels(model: Model, name: string | undefined): 3 | undefined {
  const input = model.inputs.find((one) => one.name === name) ?? model.inputs[0];
  return input?.dimensions?.length === 4 && input.dimensions[1] === 3 ? 3 : undefined;
}

/** The pictures that a model file takes, [examples, channels, height, width], as far as it says so. */
export function pictureShape(
  model: Model,
  name: string | undefined,
): { readonly channels?: 1 | 3; readonly size?: { readonly height: number; readonly width: number } } {
  const input = model.inputs.find((one) => one.name === name) ?? model.inputs[0];
  if (input?.dimensions?.length !== 4) return {};
  const [, channels, height, width] = input.dimensions;
  return {
    ...((channels === 1 || channels === 3) && { channels }),
    ...(typeof height === "number" && typeof width === "number" && { size: { height, width } }),
  };
}

/** Keys in the file's metadata, with what their JSON must be. */
const entries = {
  columns: ["forwardgrad.columns", isColumns],
  classNames: ["forwardgrad.classes", isStrings],
  targetNormalization: ["forwardgrad.targets", isNormalization],
  texts: ["forwardgrad.texts", isTexts],
} as const;

/** What a dataset knows of its columns and classes. */
export function namesOf({ columns, classNames, texts }: Dataset): KnownData {
  return { columns, classNames, texts };
}

/** Writes into a model's metadata what is known of its data. */
export function rememberData(model: Model, data: KnownData): Model {
  const texts: Record<string, string> = {};
  for (const name of ["columns", "classNames", "targetNormalization", "texts"] as const)
    if (data[name] !== undefined) texts[entries[name][0]] = JSON.stringify(data[name]);
  return withMetadata(model, texts);
}

/**
 * Reads what a model's metadata say about its data.
 *
 * @throws when an entry under one of our keys is not what we write
 */
export function knownData(model: Model): KnownData {
  const texts = metadataOf(model);
  const read = <Result>([key, isResult]: readonly [string, (value: unknown) => value is Result]) => {
    const text = texts[key];
    if (text === undefined) return undefined;
    const value = parsed(text);
    if (isResult(value)) return value;
    throw new ModelError(
      `${model.source}: the metadata '${key}' is not what forwardgrad writes; train the model again, or remove the entry.`,
      { source: model.source },
    );
  };
  return {
    columns: read(entries.columns),
    classNames: read(entries.classNames),
    targetNormalization: read(entries.targetNormalization),
    texts: read(entries.texts),
  };
}

/** Undefined where the text is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function isColumns(value: unknown): value is Column[] {
  return (
    Array.isArray(value) &&
    value.every(
      (column) =>
        isObject(column) &&
        typeof column.name === "string" &&
        (column.kind === "number" || (column.kind === "category" && isStrings(column.categories))),
    )
  );
}

function isTexts(value: unknown): value is KnownTexts {
  const isName = (name: unknown) => typeof name === "string";
  if (!isObject(value) || !isName(value.text)) return false;
  if (![undefined, "conll", "next-token", "pairs"].includes(value.kind as string | undefined)) return false;
  return (value.pair === undefined || isName(value.pair)) && Number.isSafeInteger(value.maxLength);
}

function isNormalization(value: unknown): value is Normalization {
  const isNumbers = (numbers: unknown) => [numbers].flat().every((number) => typeof number === "number");
  return isObject(value) && isNumbers(value.mean) && isNumbers(value.standardDeviation);
}
