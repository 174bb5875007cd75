import type { Model, ModelValue } from "./decode.ts";
import type { Value } from "./graph.ts";
import { own } from "./own.ts";

export interface Binding {
  /** Size of the batch axis: the first axis of the inputs where the file leaves it open. */
  readonly batch?: number;
  /** Sizes of other symbolic dimensions, by their names in the file. */
  readonly dimensions?: Readonly<Record<string, number>>;
}

/**
 * The inputs of a model with every dimension a number.
 *
 * @throws when a dimension stays open: names the input, the dimension, and how to bind it.
 */
export function bindInputs(model: Model, binding: Binding): Value[] {
  const batchSymbol = model.inputs
    .map((input) => input.dimensions[0])
    .find((size) => typeof size === "string");
  return model.inputs.map((input) => ({
    name: input.name,
    dtype: input.dtype,
    shape: input.dimensions.map((size, axis) =>
      bindDimension(model, input, size, axis, binding, batchSymbol),
    ),
  }));
}

function bindDimension(
  model: Model,
  input: ModelValue,
  size: number | string | undefined,
  axis: number,
  { batch, dimensions }: Binding,
  batchSymbol: string | undefined,
): number {
  if (typeof size === "number") return size;
  const named = size === undefined ? undefined : own(dimensions, size);
  if (named !== undefined) return named;
  const isBatch = size === undefined ? axis === 0 : size === batchSymbol;
  if (isBatch && batch !== undefined) return batch;
  throw new Error(
    `${model.source}: dimension ${axis} of input '${input.name}' is open (${size === undefined ? "no name" : `'${size}'`}); ` +
      (isBatch
        ? "pass a batch size (--batch N)."
        : `bind it (--dim ${size ?? "NAME"}=N), or export with a fixed size.`),
  );
}

/** True when the first axis of some input is open, so that the model takes any batch size. */
export function hasOpenBatch(model: Model): boolean {
  return model.inputs.some((input) => input.dimensions.length > 0 && typeof input.dimensions[0] !== "number");
}
