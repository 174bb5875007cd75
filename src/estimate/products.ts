/** Gradients of large matrices as products of thin factors, left to whoever uses them. */
import { gradientFactorName, gradientName } from "../ad/names.ts";
import type { Differentiable } from "../objective/objective.ts";
import { type Graph, getValue, type Node, producers, type Value } from "../onnx/graph.ts";
import { own } from "../onnx/own.ts";
import { elementCount, type Tensor, zeros } from "../onnx/tensor.ts";
import { GraphBuilder } from "../ops/builder.ts";
import type { Tensors } from "../runtime/runtime.ts";
import { gradientBuffers } from "./estimator.ts";
import { type GradientOutputs, type GradientProduct, leastProduct } from "./product.ts";

/**
 * Where the gradients of a graph's outputs `gradient/<parameter>` are written; large ones that the graph multiplies last are
 * left as products.
 *
 * @param held tensors that hold factors already, by the graph's inputs
 */
export function productOutputs(
  { parameters }: Pick<Differentiable, "parameters">,
  graph: Graph,
  held: Tensors,
): GradientOutputs {
  const found = findProducts(graph, Object.keys(parameters));
  const others = Object.entries(parameters).filter(([name]) => !found.has(name));
  const { tensors, gradients } = gradientBuffers({ parameters: Object.fromEntries(others) });
  if (found.size === 0) return { graph, tensors, gradients };
  const g = new GraphBuilder(graph.name, graph);
  const written: Record<string, { readonly value: Value; readonly tensor: Tensor }> = {};
  const tensorOf = (name: string, { name: value, dtype, shape }: Value) => {
    const known = own(held, value);
    if (known) return known;
    const tensor = zeros(dtype, shape);
    written[name] = { value: g.value(value), tensor };
    return tensor;
  };
  const products = [...found].map(([parameter, { left, right, transposed }]) => [
    parameter,
    {
      left: tensorOf(gradientFactorName(parameter, "left"), left),
      right: tensorOf(gradientFactorName(parameter, "right"), right),
      transposed,
    },
  ]);
  const isProduct = new Set([...found.keys()].map(gradientName));
  const kept = graph.outputs.filter(({ name }) => !isProduct.has(name));
  return {
    graph: g.build({
      ...Object.fromEntries(kept.map((value) => [value.name, value])),
      ...Object.fromEntries(Object.entries(written).map(([name, { value }]) => [name, value])),
    }),
    tensors: {
      ...tensors,
      ...Object.fromEntries(Object.entries(written).map(([name, { tensor }]) => [name, tensor])),
    },
    gradients,
    products: Object.fromEntries(products),
  };
}

interface FoundProduct extends Pick<GradientProduct, "transposed"> {
  readonly left: Value;
  readonly right: Value;
}

/** Large gradients that are a product of two matrices with fewer numbers. */
function findProducts(graph: Graph, parameters: readonly string[]): Map<string, FoundProduct> {
  const producer = producers(graph);
  const productOf = (parameter: string): FoundProduct | undefined => {
    let node = producer.get(gradientName(parameter));
    while (node?.op === "Identity" || node?.op === "Reshape") node = producer.get(node.inputs[0] ?? "");
    const transposed = node && transposedFactors(node);
    if (!node || !transposed) return undefined;
    const [left, right] = node.inputs.map((name) => getValue(graph, name));
    const size = elementCount(getValue(graph, gradientName(parameter)).shape);
    if (left?.shape.length !== 2 || right?.shape.length !== 2 || size < leastProduct) return undefined;
    const isThin = elementCount(left.shape) + elementCount(right.shape) < size;
    return isThin ? { left, right, transposed } : undefined;
  };
  return new Map(
    parameters.flatMap((name) => {
      const product = productOf(name);
      return product ? [[name, product] as const] : [];
    }),
  );
}

/** How a node that is nothing but a product reads its factors. */
function transposedFactors({ op, inputs, attributes }: Node): GradientProduct["transposed"] | undefined {
  if (inputs.length !== 2) return undefined;
  if (op === "MatMul") return { transA: 0, transB: 0 };
  const { alpha, transA, transB } = attributes;
  if (op !== "Gemm" || (alpha && alpha.value !== 1)) return undefined;
  const flag = (attribute: typeof transA) => (attribute?.value === 1 ? 1 : 0);
  return { transA: flag(transA), transB: flag(transB) };
}
