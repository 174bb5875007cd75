/** What a new head reads: a value that is chosen, or the one before an old head, or the model's output. */
import { SettingError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import { dependents, describeNode, formatShape, type Node, producers } from "../../onnx/graph.ts";
import type { Model } from "../../onnx/read-model.ts";
import { nearest } from "../../settings/nearest.ts";
import { floatOutput } from "../importing/import-model.ts";
import { integerProduct } from "../integer-product.ts";
import type { KnownValue } from "./known-shapes.ts";

export interface HeadSource {
  /** The value's name. */
  readonly name: string;
  readonly shape: readonly (number | undefined)[];
  /** Describes the node that computed the old head, where it is cut off. */
  readonly cut?: string;
}

/** Ops at a model's end that change no numbers, or that a loss contains. */
const passing = new Set([
  ...["Identity", "Squeeze", "Unsqueeze", "Reshape", "Flatten", "Transpose", "Cast"],
  ...["Softmax", "LogSoftmax", "Sigmoid", "QuantizeLinear", "DequantizeLinear"],
]);

/** Outputs of these names are what heads are put on, whatever computes them. */
const isForHeads = /hidden|embed|feature|pool/i;

/**
 * @param values what is known of the model's values
 * @throws SettingError when nothing computes the value, its shape is not known, or it is none that a linear layer can read
 */
export function headSource(
  model: Model,
  from: string | undefined,
  values: ReadonlyMap<string, KnownValue>,
): HeadSource {
  const output = from ?? floatOutput(model);
  const old = from === undefined && !isForHeads.test(output) ? oldHead(model, output) : undefined;
  const name = old?.reads ?? output;
  const known = values.get(name);
  if (from !== undefined && !known && !producers(model).has(from)) throw unknownValue(model, from, values);
  const shape = known?.shape ?? [];
  const width = widthOf(shape);
  const wrong = !known
    ? words`has a shape that is not known before it runs; give sizes of open dimensions (${option("dimensions", { NAME: null })})`
    : known.dtype !== "float32"
      ? `is of type ${known.dtype}, and a head reads float32`
      : shape.length < 2
        ? `has the shape ${formatShape(shape)}, and a head reads [batch, width], [batch, positions, width] or [batch, channels, height, width]`
        : !known.isBatchFirst
          ? `has the shape ${formatShape(shape)}, whose first axis is not the batch`
          : width === undefined
            ? words`has the shape ${formatShape(shape)}, and the axis that a head reads is open; give its size (${option("dimensions", { NAME: null })})`
            : undefined;
  if (wrong === undefined) return { name, shape, ...(old && { cut: old.node }) };
  throw new SettingError(
    words`${model.source}: no head can be put on '${name}', which ${wrong}. Choose another value (${option("head.from", null)});
      there are ${readable(values)}.`,
    { option: "head.from" },
  );
}

/** Numbers of one position: the channels of pictures, or the last axis. */
export function widthOf(shape: readonly (number | undefined)[]): number | undefined {
  return shape.length > 3 ? shape[1] : shape.at(-1);
}

function unknownValue(model: Model, from: string, values: ReadonlyMap<string, KnownValue>): SettingError {
  const neighbours = nearest(from, [...values.keys()]);
  const hint = neighbours[0] === undefined ? "" : ` Did you mean '${neighbours[0]}'?`;
  return new SettingError(
    words`${model.source} has no value '${from}' that a head could read (${option("head.from")}).${hint} There are
      ${readable(values)}.`,
    { option: "head.from", neighbours },
  );
}

/** The last values that a head could read, with their shapes. */
function readable(values: ReadonlyMap<string, KnownValue>): string {
  const fitting = [...values].filter(
    ([, { dtype, shape, isBatchFirst }]) =>
      dtype === "float32" &&
      isBatchFirst &&
      shape.length > 1 &&
      widthOf(shape) !== undefined &&
      shape[0] === undefined,
  );
  const list = fitting.slice(-6).map(([name, { shape }]) => `'${name}' ${formatShape(shape)}`);
  return list.join(", ") || "none";
}

/** The linear layer that computes an output: what it reads, and its node. */
function oldHead(
  model: Model,
  output: string,
): { readonly reads: string; readonly node: string } | undefined {
  const computedBy = producers(model);
  const onData = dependents(
    model,
    model.inputs.map(({ name }) => name),
  );
  const before = (node: Node | undefined) =>
    computedBy.get(node?.inputs.find((name) => onData.has(name)) ?? "");
  let node = computedBy.get(output);
  while (node && passing.has(node.op) && node.domain === "") node = before(node);
  if (node?.op === "Add" && node.inputs.some((name) => !onData.has(name))) node = before(node);
  const [x = "", weight = ""] = node?.inputs ?? [];
  const isLinear = node && /^(Gemm|MatMul|FusedMatMul|MatMulNBits)$/.test(node.op);
  if (node && isLinear && onData.has(x) && !onData.has(weight)) return { reads: x, node: describeNode(node) };
  const product = node && integerProduct(node, computedBy);
  return product && { reads: product.reads, node: describeNode(product.node) };
}
