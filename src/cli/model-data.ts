import * as z from "zod";
import type { Dataset } from "../data/dataset.ts";
import type { Loss } from "../losses/loss.ts";
import { type LossName, losses } from "../losses/losses.ts";
import { meanSquaredError } from "../losses/mean-squared-error.ts";
import type { Model } from "../onnx/decode.ts";
import { metadataOf, withMetadata } from "../onnx/metadata.ts";

/** What a model file says about the data that it was trained on, so that other data can be read the same way. */
export type KnownData = Pick<Dataset, "columns" | "classNames" | "targetNormalization">;

const numbers = z.union([z.number(), z.array(z.number())]);

/** Keys in the file's metadata, with what their JSON holds. */
const entries = {
  columns: [
    "forwardgrad.columns",
    z.array(
      z.union([
        z.object({ name: z.string(), kind: z.literal("number") }),
        z.object({ name: z.string(), kind: z.literal("category"), categories: z.array(z.string()) }),
      ]),
    ),
  ],
  classNames: ["forwardgrad.classes", z.array(z.string())],
  targetNormalization: ["forwardgrad.targets", z.object({ mean: numbers, standardDeviation: numbers })],
} as const;

/** What a dataset knows of its columns and classes. */
export function namesOf({ columns, classNames }: Dataset): KnownData {
  return { columns, classNames };
}

/** Writes into a model's metadata what is known of its data. */
export function rememberData(model: Model, data: KnownData): Model {
  const texts: Record<string, string> = {};
  for (const name of ["columns", "classNames", "targetNormalization"] as const)
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
  const read = <Result>([key, schema]: readonly [string, z.ZodType<Result>]): Result | undefined => {
    const text = texts[key];
    if (text === undefined) return undefined;
    try {
      return schema.parse(JSON.parse(text));
    } catch (cause) {
      throw new Error(
        `${model.source}: the metadata '${key}' is not what forwardgrad writes; train the model again, or remove the entry.`,
        { cause },
      );
    }
  };
  return {
    columns: read(entries.columns),
    classNames: read(entries.classNames),
    targetNormalization: read(entries.targetNormalization),
  };
}

/** The loss of that name; mean squared error counts in units of the variance of the targets that the model knows. */
export function lossNamed(name: LossName, { targetNormalization }: KnownData): Loss {
  return name === "mean-squared-error"
    ? meanSquaredError({ scale: targetNormalization?.standardDeviation })
    : losses[name]();
}
