/** Plain descent inside of the products that make large gradients. */
import { gradientFactorName } from "../../ad/names.ts";
import type { Estimator } from "../../estimate/estimator.ts";
import { createMultiplier, type Multiplier } from "../../estimate/multiplier.ts";
import { type GradientProducts, productShape } from "../../estimate/product.ts";
import type { Differentiable } from "../../objective/objective.ts";
import { float32, type Tensor } from "../../onnx/tensor.ts";
import { GraphBuilder } from "../../ops/builder.ts";
import type { Arrays, Optimizer } from "../../optim/optimizer.ts";
import { compileGraph } from "../../runtime/evaluate.ts";
import type { Tensors } from "../../runtime/runtime.ts";
import { areFinite } from "../divergence.ts";
import type { Descent } from "./descent.ts";

/** What moves parameters against estimates that leave products, by an optimizer that is plain. */
export async function descentInProducts(
  objective: Differentiable,
  estimator: Estimator,
  products: GradientProducts,
  optimizer: Optimizer,
): Promise<Descent> {
  const names = Object.keys(products);
  const factors = Object.fromEntries(
    names.flatMap((name) =>
      (["left", "right"] as const).map((side) => [
        gradientFactorName(name, side),
        products[name]?.[side].data as Float32Array,
      ]),
    ),
  );
  const written = await openOverwriting(objective, products);
  let multiplier: Promise<Multiplier> | undefined;
  const completed = async (gradients: Arrays) => {
    multiplier ??= createMultiplier(objective, products);
    return (await multiplier).multiply(gradients);
  };
  const whole: Estimator = {
    ...estimator,
    products: undefined,
    async estimate(...given) {
      const estimate = await estimator.estimate(...given);
      return { ...estimate, gradients: await completed(estimate.gradients) };
    },
  };
  return {
    estimator,
    whole,
    isFinite: (gradients) => areFinite(gradients) && areFinite(factors),
    async aside(estimate, use) {
      const copies = Object.entries(factors).map(([name, data]) => [name, data.slice()] as const);
      const result = await use({ ...estimate, gradients: await completed(estimate.gradients) });
      for (const [name, data] of copies) factors[name]?.set(data);
      return result;
    },
    async step(parameters, gradients, state, rate) {
      const others = written ? gradients : await completed(gradients);
      await written?.step(rate);
      optimizer.update(parameters, others, state, rate);
    },
    async release() {
      await Promise.all([estimator.release(), written?.release(), (await multiplier)?.release()]);
    },
  };
}

// One module for what pages seldom load, as there are few that they do.
export { heldDescent } from "./held.ts";

/**
 * W ← W − rate·left·right for each product, written over the parameters: a gradient is neither written nor read.
 *
 * @returns undefined where the engine does not read a matrix before it writes there
 */
async function openOverwriting({ parameters, runtime }: Differentiable, products: GradientProducts) {
  const g = new GraphBuilder("descent");
  const rate = g.input("rate", "float32", []);
  const feeds: Record<string, Tensor> = {};
  const results: Record<string, Tensor> = {};
  const moved = Object.entries(products).map(([name, product], index) => {
    const { data } = parameters[name] as Tensor;
    const input = (what: string, tensor: Tensor) => {
      feeds[`${what} ${index}`] = tensor;
      return g.input(`${what} ${index}`, tensor.dtype, tensor.shape);
    };
    const matrix: Tensor = { dtype: "float32", shape: productShape(product), data };
    const before = input("parameter", matrix);
    const left = input("left", product.left);
    const right = input("right", product.right);
    const isLeftSmaller = product.left.data.length < product.right.data.length;
    const factors = isLeftSmaller
      ? ([g.mul(left, rate), right] as const)
      : ([left, g.mul(right, rate)] as const);
    results[`moved ${index}`] = matrix;
    return [`moved ${index}`, g.gemm(...factors, before, product.transposed)] as const;
  });
  const session = await compileGraph(runtime, g.build(Object.fromEntries(moved)));
  const minus = float32([0], []);
  const step = async (size: number) => {
    minus.data[0] = -size;
    await session.run({ ...feeds, rate: minus }, results);
  };
  if (await keepsNumbers(results, () => step(0))) return { step, release: () => session.release() };
  await session.release();
  return undefined;
}

/** Whether a step of length 0 leaves all numbers as they are; if not, puts them back. */
async function keepsNumbers(matrices: Tensors, step: () => Promise<void>): Promise<boolean> {
  const arrays = Object.values(matrices).map(({ data }) => ({
    data: data as Float32Array,
    copy: data.slice(),
  }));
  await step();
  const isLeft = arrays.every(({ data, copy }) => data.every((value, index) => value === copy[index]));
  for (const { data, copy } of arrays) data.set(copy as Float32Array);
  return isLeft;
}
