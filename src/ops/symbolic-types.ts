/** Types whose sizes follow the open dimensions of a model's inputs. */

import type { Value } from "../onnx/graph.ts";
import type { Model } from "../onnx/read-model.ts";
import type { DType } from "../onnx/tensor.ts";

/** Type of a value whose sizes may follow those of the inputs: a number, a formula such as "4·batch", or "?". */
export interface SymbolicType {
  readonly dtype: DType;
  readonly dimensions: readonly (number | string)[];
}

/** An open dimension of a model's inputs, and two sizes to try. */
interface OpenDimension {
  readonly name: string;
  readonly size: number;
  readonly other: number;
}

/** Sizes of open dimensions by name, that of batches without a name, and the model's inputs under them. */
export interface Assignment {
  readonly sizes: ReadonlyMap<string, number>;
  readonly batch: number;
  readonly inputs: readonly Value[];
}

/** What the types of a model's values have to be known under, in order to see what their sizes follow. */
export function assignmentsOf(model: Model): Assignment[] {
  const open = openDimensions(model);
  const base = new Map(open.map(({ name, size }) => [name, size]));
  return [base, ...open.map(({ name, other }) => new Map([...base, [name, other]]))].map((sizes) => ({
    sizes,
    batch: sizes.get(batchName) ?? firstSize,
    // Of inputs without a shape, nothing is known.
    inputs: model.inputs.flatMap(({ name, dtype, dimensions }) => {
      const shape = dimensions?.map((size, axis) =>
        typeof size === "number" ? size : (sizes.get(nameOf(size, name, axis)) ?? 1),
      );
      return shape ? [{ name, dtype, shape }] : [];
    }),
  }));
}

/**
 * Types with formulas for sizes, from what the values' types are under each assignment.
 *
 * @param known in the order of `assignments`
 */
export function symbolicTypes(
  assignments: readonly Assignment[],
  known: readonly ReadonlyMap<string, Pick<Value, "dtype" | "shape">>[],
): Map<string, SymbolicType> {
  const [base, ...changed] = assignments;
  const [types = new Map<string, Pick<Value, "dtype" | "shape">>(), ...others] = known;
  const symbols = changed.flatMap(({ sizes }, index) =>
    [...sizes].flatMap(([name, other]) => {
      const size = base?.sizes.get(name) ?? other;
      return size === other ? [] : [{ name, size, other, types: others[index] }];
    }),
  );
  return new Map(
    [...types].map(([name, { dtype, shape }]) => {
      const dimensions = shape.map((size, axis) =>
        formula(
          size,
          symbols.map((symbol) => ({ ...symbol, result: symbol.types?.get(name)?.shape[axis] })),
        ),
      );
      return [name, { dtype, dimensions }];
    }),
  );
}

/** Name of first axes that have none. */
const batchName = "batch";
const firstSize = 2;

function openDimensions(model: Model): OpenDimension[] {
  const found = new Map<string, OpenDimension>();
  for (const input of model.inputs) {
    input.dimensions?.forEach((size, axis) => {
      const name = nameOf(size, input.name, axis);
      if (typeof size === "number" || found.has(name)) return;
      // First axes are mostly batches. Others can be heights and widths, which networks halve several times.
      found.set(name, axis === 0 ? { name, size: firstSize, other: 3 } : { name, size: 64, other: 128 });
    });
  }
  return [...found.values()];
}

function nameOf(size: number | string | undefined, input: string, axis: number): string {
  return typeof size === "string" ? size : axis === 0 ? batchName : `${input}.${axis}`;
}

/** What a size follows, from its value where one open dimension at a time has its other size. */
function formula(
  size: number,
  symbols: readonly (OpenDimension & { readonly result: number | undefined })[],
): number | string {
  if (symbols.some(({ result }) => result === undefined)) return "?";
  const followed = symbols.filter(({ result }) => result !== size);
  const [only] = followed;
  if (!only) return size;
  const factor = size / followed.reduce((product, symbol) => product * symbol.size, 1);
  const names = followed.map(({ name }) => name).join("·");
  const isProduct = followed.every((symbol) => symbol.result === (size / symbol.size) * symbol.other);
  if (isProduct && Number.isInteger(factor)) return factor === 1 ? names : `${factor}·${names}`;
  if (isProduct && Number.isInteger(1 / factor)) return `${names}/${1 / factor}`;
  const slope = ((only.result ?? 0) - size) / (only.other - only.size);
  if (followed.length > 1 || !Number.isInteger(slope)) return "?";
  const offset = size - slope * only.size;
  return `${slope === 1 ? "" : `${slope}·`}${only.name}${offset < 0 ? "-" : "+"}${Math.abs(offset)}`;
}
