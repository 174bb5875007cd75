/** Symbolic dimensions of a model's inputs become numbers. */
import { SettingError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";
import type { Value } from "./graph.ts";
import { own } from "./own.ts";
import type { Model, ModelValue } from "./read-model.ts";

/** Sizes of a model's open dimensions. */
export interface Binding {
  /** Size of the batch axis: the first axis of the inputs where the file leaves it open. */
  readonly batch?: number;
  /**
   * Sizes of other open dimensions: by their names in the file, or by input and axis ("state.1"), which also names those
   * that have no name there.
   */
  readonly dimensions?: Readonly<Record<string, number>>;
}

/**
 * The inputs of a model with every dimension a number.
 *
 * @throws when a dimension stays open: names the input, the dimension, and how to bind it.
 */
export function bindInputs(model: Model, binding: Binding): Value[] {
  const batchSymbol = model.inputs
    .map((input) => input.dimensions?.[0])
    .find((size) => typeof size === "string");
  return model.inputs.map((input) => ({
    name: input.name,
    dtype: input.dtype,
    shape: dimensionsOf(model, input, binding).map((size, axis) =>
      bindDimension(model, input, size, axis, binding, batchSymbol),
    ),
  }));
}

/** How a dimension is bound that may have no name: by its input and axis. */
export function dimensionName(input: string, axis: number): string {
  return `${input}.${axis}`;
}

/** The dimensions of an input; where the file does not say how many there are, as many as are bound. */
function dimensionsOf(
  model: Model,
  { name, dimensions }: ModelValue,
  { dimensions: bound = {} }: Binding,
): readonly (number | string | undefined)[] {
  if (dimensions) return dimensions;
  const axes = Object.keys(bound)
    .filter((key) => key.startsWith(`${name}.`))
    .map((key) => Number(key.slice(name.length + 1)))
    .filter((axis) => Number.isInteger(axis) && axis >= 0);
  if (axes.length > 0) return Array.from({ length: Math.max(...axes) + 1 }, () => undefined);
  throw new SettingError(
    words`${model.source} does not say which shape its input '${name}' has; bind each axis after the batch by its
      number (${option("dimensions", { [dimensionName(name, 1)]: null })}), or export the model with a shape.`,
    { option: "dimensions" },
  );
}

function bindDimension(
  model: Model,
  input: ModelValue,
  size: number | string | undefined,
  axis: number,
  { batch, dimensions = {} }: Binding,
  batchSymbol: string | undefined,
): number {
  if (typeof size === "number") return size;
  const dimension = dimensionName(input.name, axis);
  const bound = own(dimensions, dimension) ?? (size === undefined ? undefined : own(dimensions, size));
  if (bound !== undefined) return bound;
  const isBatch = size === undefined ? axis === 0 || isSecondBatch(input, axis) : size === batchSymbol;
  if (isBatch && batch !== undefined) return batch;
  throw new SettingError(
    words`${model.source}: dimension ${axis} of input '${input.name}' is open (${size === undefined ? "no name" : `'${size}'`});
      ${
        isBatch
          ? words`pass a batch size (${option("batch", null)}).`
          : words`bind it (${option("dimensions", { [size ?? dimension]: null })}), or export with a fixed size.`
      }`,
    { option: isBatch ? "batch" : "dimensions" },
  );
}

/** States of recurrent layers, [layers, batch, width], have the batch second: the only open dimension, after a fixed one. */
function isSecondBatch({ dimensions = [] }: ModelValue, axis: number): boolean {
  return axis === 1 && dimensions.every((size, index) => (index === axis) === (size === undefined));
}

/** True when the first axis of some input is open, so that the model takes any batch size. */
export function hasOpenBatch(model: Model): boolean {
  return model.inputs.some(
    ({ dimensions }) => !dimensions || (dimensions.length > 0 && typeof dimensions[0] !== "number"),
  );
}
