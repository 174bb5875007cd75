/** The exact gradient by reverse mode, and how gradients are compared. */

import { gradientGraph } from "../ad/gradient.ts";
import { reserved } from "../ad/names.ts";
import type { Differentiable } from "../objective/objective.ts";
import { countParameters } from "../objective/parameters.ts";
import { own } from "../onnx/own.ts";
import { zeros } from "../onnx/tensor.ts";
import { fasterGraph } from "../ops/upgrade.ts";
import { compileGraph } from "../runtime/evaluate.ts";
import type { Tensors } from "../runtime/runtime.ts";
import { named } from "../settings/named.ts";
import { type Estimate, type Estimator, type EstimatorRule, statisticsBuffers } from "./estimator.ts";
import { gradientOutputs } from "./gradient-outputs.ts";
import type { EstimatorOptions } from "./passes.ts";

/**
 * The exact gradient by reverse mode: the baseline, and the measure of a forward gradient's quality.
 *
 * @param where whether gradients of large matrices are left as products, or all of them where the runtime computes
 * @throws when an op has no derivative rule, or the engine refuses the graph
 */
export async function exactGradient(
  objective: Differentiable,
  where: Pick<EstimatorOptions, "factored" | "resident"> = {},
): Promise<Estimator> {
  const names = Object.keys(objective.parameters);
  const running = statisticsBuffers(objective);
  // Loaded where it is of use.
  const [{ earlyResults }, { lateRelus }] = await Promise.all([
    import("../ad/leaves.ts"),
    import("../ad/late-relus.ts"),
  ]);
  const derived = gradientGraph(
    lateRelus(objective.graph),
    names,
    reserved.loss,
    Object.keys(running.tensors),
  );
  const outputs = await gradientOutputs(objective, derived, where);
  const { tensors, gradients, products, held } = outputs;
  const session = await compileGraph(objective.runtime, earlyResults(fasterGraph(outputs.graph)), {
    stays: held ? Object.keys(tensors) : [],
  });
  const loss = zeros("float32", []);
  return {
    name: "exact",
    dimension: countParameters(objective.parameters),
    ...{ products, held },
    async estimate(feeds: Tensors): Promise<Estimate> {
      await session.run(feeds, { loss, ...tensors, ...running.tensors });
      return {
        loss: Number(loss.data[0]),
        derivatives: new Float64Array(),
        gradients,
        statistics: running.statistics,
      };
    },
    async release() {
      outputs.release?.();
      await session.release();
    },
  };
}

/** The exact gradient as a choice: of what is asked of estimators, it needs nothing. */
export const exact = named(
  "gradient",
  "exact",
  {},
  (): EstimatorRule => ({
    noise: { by: "nothing" },
    async plan(objective, options) {
      const dimension = countParameters(objective.parameters);
      return { dimension, open: () => exactGradient(objective, options) };
    },
  }),
);

/** Cosine of the angle between two gradients over all parameters; 0 where one of them is zero. */
export function cosine(
  a: Readonly<Record<string, Float32Array>>,
  b: Readonly<Record<string, Float32Array>>,
): number {
  let [product, squareA, squareB] = [0, 0, 0];
  for (const [name, values] of Object.entries(a)) {
    const others = own(b, name);
    if (!others) continue;
    for (let index = 0; index < values.length; index++) {
      const [x, y] = [values[index] as number, others[index] as number];
      product += x * y;
      squareA += x * x;
      squareB += y * y;
    }
  }
  return squareA === 0 || squareB === 0 ? 0 : product / Math.sqrt(squareA * squareB);
}
