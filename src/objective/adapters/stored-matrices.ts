/** The matrices of a model that adapters can add to: stored in float32, or in few bits. */
import { consumers, type Node, nodeName, producers } from "../../onnx/graph.ts";
import type { Model } from "../../onnx/read-model.ts";
import { intAttribute } from "../../ops/view.ts";
import { integerProduct } from "../integer-product.ts";

/** A matrix that can be adapted, and where. */
export interface StoredMatrix {
  /** Of the stored tensor. */
  readonly name: string;
  /** Name of the first node that reads it, where its own is a number of an exporter. */
  readonly readBy: string | undefined;
  /** As a matrix whose rows are outputs where it is quantized in a product; otherwise as it is stored. */
  readonly shape: readonly number[];
  /** Where it is quantized: the values that are computed with it. None where it is stored as float32. */
  readonly quantized: readonly QuantizedResult[];
}

/** A value that is computed with a quantized matrix. */
export interface QuantizedResult {
  readonly output: string;
  /** What is multiplied by the matrix; undefined where the value is the matrix itself, in floats. */
  readonly reads?: string;
}

/** Names that exporters count, which tell nothing. */
const isCounted = /^(onnx::\w+_|val_|_val_|initializer_|const_|)\d+(_\w+)?$/;

/** Those that nodes read, in the file's order. */
export function storedMatrices(model: Model): StoredMatrix[] {
  const read = consumers(model);
  const computedBy = producers(model);
  return [...model.initializers].flatMap(([name, { dtype, shape }]): StoredMatrix[] => {
    const readers = read.get(name) ?? [];
    const [first] = readers;
    const readBy = first && isCounted.test(name) ? nodeName(first) : undefined;
    const scales = readers.some(
      ({ op, inputs }) =>
        /^(MatMulNBits|\w*QuantizeLinear|DequantizeLinear|Gather\w+Quantized)$/.test(op) &&
        inputs[0] !== name,
    );
    if (dtype === "float32")
      return shape.length >= 2 && readers.length > 0 && !scales
        ? [{ name, readBy, shape, quantized: [] }]
        : [];
    const products = readers.filter(({ op, inputs }) => op === "MatMulNBits" && inputs[1] === name);
    const [product] = products;
    if (product) {
      const size = [intAttribute(product, "N", 0), intAttribute(product, "K", 0)];
      return [{ name, readBy, shape: size, quantized: products.map(resultOf) }];
    }
    const integers = readers.flatMap((node) => ofIntegers(node, name, read, computedBy));
    const [columns, rows] = shape;
    if (integers.length > 0 && shape.length === 2)
      return [{ name, readBy, shape: [rows as number, columns as number], quantized: integers }];
    const floats = readers.filter(({ op, inputs }) => op === "DequantizeLinear" && inputs[0] === name);
    return shape.length >= 2 && floats.length > 0
      ? [{ name, readBy, shape, quantized: floats.map(({ outputs: [output = ""] }) => ({ output })) }]
      : [];
  });
}

function resultOf({ inputs: [reads = ""], outputs: [output = ""] }: Node): QuantizedResult {
  return { output, reads };
}

/** The float result of a product of integers, as ONNX Runtime's dynamic quantization writes it. */
function ofIntegers(
  node: Node,
  weight: string,
  read: ReadonlyMap<string, readonly Node[]>,
  computedBy: ReadonlyMap<string, Node>,
): QuantizedResult[] {
  if (node.op !== "MatMulInteger" || node.inputs[1] !== weight) return [];
  const casts = read.get(node.outputs[0] ?? "") ?? [];
  return casts
    .flatMap(({ outputs: [output = ""] }) => read.get(output) ?? [])
    .flatMap((last) => {
      const found = integerProduct(last, computedBy);
      return found ? [{ output: last.outputs[0] ?? "", reads: found.reads }] : [];
    });
}
