/** Shapes of a model's values before data are known: what stays the same whatever the open dimensions are. */
import type { ValueInfoProto } from "onnx-buf";
import type { Value } from "../../onnx/graph.ts";
import { own } from "../../onnx/own.ts";
import type { Model, ModelValue } from "../../onnx/read-model.ts";
import { type DType, dtypeFromNumber } from "../../onnx/tensor.ts";
import { furtherOps } from "../../ops/further-ops.ts";
import { inferTypes } from "../../ops/infer.ts";

/** A value whose open axes have no size. */
export interface KnownValue {
  readonly dtype: DType;
  /** Undefined where an axis is open. */
  readonly shape: readonly (number | undefined)[];
  /** False where the first axis is known to be another than the batch. */
  readonly isBatchFirst: boolean;
}

/** Two sizes of each kind of open axis; what differs between them is open. */
const trials = [
  { batch: 2, picture: 224, other: 8 },
  { batch: 3, picture: 256, other: 6 },
];

/**
 * What the shape rules tell of a model's values, and what the file declares of those that they do not reach.
 *
 * @param dimensions sizes of open dimensions, by name or as "input.axis"
 */
export async function knownValues(
  model: Model,
  dimensions: Readonly<Record<string, number>> = {},
): Promise<ReadonlyMap<string, KnownValue>> {
  const further = await furtherOps(model.nodes, model.opset);
  const { graph } = model.proto;
  const declared = [...(graph?.valueInfo ?? []), ...(graph?.output ?? [])].flatMap(declaredValue);
  const [first, second] = trials.map(
    (sizes) => inferTypes(model, bound(model, sizes, dimensions), further).values,
  );
  const inferred = [...(first ?? [])].flatMap(([name, one]) => {
    const other = second?.get(name);
    return other && other.shape.length === one.shape.length ? [[name, compared(one, other)] as const] : [];
  });
  return new Map([...declared, ...inferred]);
}

function compared(one: Value, other: Value): KnownValue {
  const shape = one.shape.map((size, axis) => (size === other.shape[axis] ? size : undefined));
  const isOpen = shape.includes(undefined);
  return { dtype: one.dtype, shape, isBatchFirst: !isOpen || shape[0] === undefined };
}

/** What a file declares of a value. */
function declaredValue({ name, type }: ValueInfoProto): [string, KnownValue][] {
  const tensor = type?.value.case === "tensorType" ? type.value.value : undefined;
  const dtype = dtypeFromNumber(tensor?.elemType ?? 0);
  if (!dtype || !tensor?.shape) return [];
  const shape = tensor.shape.dim.map(({ value }) =>
    value.case === "dimValue" && value.value > 0n ? Number(value.value) : undefined,
  );
  return [[name, { dtype, shape, isBatchFirst: true }]];
}

/** The model's inputs of known rank, every axis a number. */
function bound(
  model: Model,
  { batch, picture, other }: (typeof trials)[number],
  dimensions: Readonly<Record<string, number>>,
): Value[] {
  const batchSymbol = model.inputs
    .map(({ dimensions: sizes }) => sizes?.[0])
    .find((size) => typeof size === "string");
  const sizeOf = ({ name, dimensions: sizes = [] }: ModelValue, axis: number) => {
    const size = sizes[axis];
    if (typeof size === "number") return size;
    const given =
      own(dimensions, `${name}.${axis}`) ?? (size === undefined ? undefined : own(dimensions, size));
    if (given !== undefined) return given;
    if (size === undefined ? axis === 0 : size === batchSymbol) return batch;
    return sizes.length > 3 && axis > 1 ? picture : other;
  };
  return model.inputs.flatMap((input) => {
    const { name, dtype, dimensions: sizes } = input;
    return sizes ? [{ name, dtype, shape: sizes.map((_, axis) => sizeOf(input, axis)) }] : [];
  });
}
