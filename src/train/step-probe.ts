/** The slope and the curvature of the loss along a step. */
import { reserved, tangentName } from "../ad/names.ts";
import { secondDerivativeGraph } from "../ad/second-derivative.ts";
import type { Differentiable } from "../objective/objective.ts";
import { arraysOf } from "../objective/parameters.ts";
import { type Tensor, zeros } from "../onnx/tensor.ts";
import type { Arrays, Optimizer } from "../optim/optimizer.ts";
import { compileGraph } from "../runtime/evaluate.ts";
import type { Tensors } from "../runtime/runtime.ts";
import type { AlongStep } from "./auto-step.ts";

/** Measures the loss along what an optimizer would do. */
export interface StepProbe {
  /**
   * @param feeds a batch and the parameters, by input name; not the batch of the gradients, whose own noise would look
   *   like progress
   * @param gradients what the optimizer would be given
   * @param state the optimizer's, left as it is
   */
  measure(feeds: Tensors, parameters: Arrays, gradients: Arrays, state: Arrays): Promise<AlongStep>;
  release(): Promise<void>;
}

/** Compiles the second directional derivative of the loss along the optimizer's step u at rate 1. */
export async function stepProbe(objective: Differentiable, optimizer: Optimizer): Promise<StepProbe> {
  const names = Object.keys(objective.parameters);
  const session = await compileGraph(
    objective.runtime,
    secondDerivativeGraph(objective.graph, names, reserved.loss),
  );
  const directions = Object.entries(objective.parameters).map(
    ([name, { shape }]) => [tangentName(name), zeros("float32", [1, ...shape])] as const,
  );
  const tangents: Readonly<Record<string, Tensor>> = Object.fromEntries(directions);
  const moved = Object.fromEntries(
    names.map((name) => [name, tangents[tangentName(name)]?.data as Float32Array]),
  );
  const stateCopy = optimizer.init(arraysOf(objective.parameters));
  const first = zeros("float32", []);
  const second = zeros("float32", []);
  return {
    async measure(feeds, parameters, gradients, state) {
      for (const [name, values] of Object.entries(state)) stateCopy[name]?.set(values);
      const length = unitStep(optimizer, parameters, gradients, stateCopy, moved);
      if (length === 0) return { slope: 0, curvature: 0 };
      await session.run({ ...feeds, ...tangents }, { first, second });
      return { slope: length * Number(first.data[0]), curvature: length ** 2 * Number(second.data[0]) };
    },
    release: () => session.release(),
  };
}

/** Optimizers move parameters in proportion to the rate; at this one rounding at the parameters' own size vanishes. */
const hugeRate = 2 ** 40;

/** Writes u/‖u‖ into `moved`, u being what the optimizer subtracts at rate 1, and returns ‖u‖. */
function unitStep(
  optimizer: Optimizer,
  parameters: Arrays,
  gradients: Arrays,
  state: Arrays,
  moved: Arrays,
): number {
  for (const [name, values] of Object.entries(parameters)) moved[name]?.set(values);
  optimizer.update(moved, gradients, state, hugeRate);
  let square = 0;
  for (const [name, values] of Object.entries(moved)) {
    const before = parameters[name] as Float32Array;
    for (let index = 0; index < values.length; index++) {
      const step = (before[index] as number) - (values[index] as number);
      values[index] = step;
      square += step * step;
    }
  }
  const length = Math.sqrt(square);
  if (length > 0)
    for (const values of Object.values(moved))
      for (let index = 0; index < values.length; index++) values[index] = (values[index] as number) / length;
  return length / hugeRate;
}
