/** What a gradient is that was not multiplied out. */
import type { Graph } from "../onnx/graph.ts";
import type { Tensor } from "../onnx/tensor.ts";
import type { Tensors } from "../runtime/runtime.ts";
import type { HeldEstimate } from "./state.ts";

/** A gradient, its numbers as a matrix [rows, columns], that was not multiplied out. */
export interface GradientProduct {
  /** [rows, m]; transposed, [m, rows]. */
  readonly left: Tensor;
  /** [m, columns]; transposed, [columns, m]. */
  readonly right: Tensor;
  /** Which of them are transposed: `Gemm`'s attributes. */
  readonly transposed: { readonly transA: 0 | 1; readonly transB: 0 | 1 };
}

/** Products by parameter. */
export type GradientProducts = Readonly<Record<string, GradientProduct>>;

/** Rows and columns of a product. */
export function productShape({ left, right, transposed }: GradientProduct): [rows: number, columns: number] {
  return [left.shape[transposed.transA] as number, right.shape[1 - transposed.transB] as number];
}

/** What a graph says of the gradients, and where it is written. */
export interface GradientOutputs {
  readonly graph: Graph;
  /** By the graph's outputs. */
  readonly tensors: Tensors;
  /** By parameter, without those that are products, or held. */
  readonly gradients: Readonly<Record<string, Float32Array>>;
  readonly products?: GradientProducts;
  /** As the estimator's. */
  readonly held?: HeldEstimate;
  /** Frees what is held. */
  release?(): void;
}

/** Numbers of a gradient below which multiplying out takes no longer than writing the factors. */
export const leastProduct = 2 ** 14;
