/** Multiplies products out that an estimator left, where gradients are read. */
import { gradientFactorName, gradientName } from "../ad/names.ts";
import type { Differentiable } from "../objective/objective.ts";
import type { Value } from "../onnx/graph.ts";
import { type Tensor, zeros } from "../onnx/tensor.ts";
import { GraphBuilder } from "../ops/builder.ts";
import { compileGraph } from "../runtime/evaluate.ts";
import type { Arrays } from "./estimator.ts";
import { type GradientProducts, productShape } from "./product.ts";

/** Multiplies products out. */
export interface Multiplier {
  /** The gradients in the parameters' order, with those that are products; written anew by the next call. */
  multiply(gradients: Arrays): Promise<Arrays>;
  release(): Promise<void>;
}

/** Compiles the products of an estimator. */
export async function createMultiplier(
  { parameters, runtime }: Pick<Differentiable, "parameters" | "runtime">,
  products: GradientProducts,
): Promise<Multiplier> {
  const g = new GraphBuilder("products");
  const factors: Record<string, Tensor> = {};
  const outputs = Object.entries(products).map(([name, product]) => {
    const [left, right] = (["left", "right"] as const).map((side) => {
      const tensor = product[side];
      factors[gradientFactorName(name, side)] = tensor;
      return g.input(gradientFactorName(name, side), tensor.dtype, tensor.shape);
    });
    return [gradientName(name), g.gemm(left as Value, right as Value, product.transposed)] as const;
  });
  const session = await compileGraph(runtime, g.build(Object.fromEntries(outputs)));
  const multiplied = Object.entries(products).map(
    ([name, product]) => [name, zeros("float32", productShape(product))] as const,
  );
  const tensors = Object.fromEntries(multiplied.map(([name, tensor]) => [gradientName(name), tensor]));
  const arrays = Object.fromEntries(multiplied.map(([name, { data }]) => [name, data as Float32Array]));
  return {
    async multiply(gradients) {
      await session.run(factors, tensors);
      const all = { ...gradients, ...arrays };
      return Object.fromEntries(Object.keys(parameters).map((name) => [name, all[name] as Float32Array]));
    },
    release: () => session.release(),
  };
}
