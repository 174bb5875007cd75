import { secondDerivativeGraph } from "../ad/second-derivative.ts";
import { type Tensor, zeros } from "../onnx/tensor.ts";
import type { Arrays, Optimizer } from "../optim/optimizer.ts";
import { compileGraph } from "../runtime/evaluate.ts";
import type { Tensors } from "../runtime/runtime.ts";
import type { Differentiable } from "./objective.ts";
import { arraysOf } from "./parameters.ts";

/** How the loss changes along a step θ − η·u: f − η·slope + η²/2·curvature. */
export interface AlongStep {
  /** ∇f·u */
  readonly slope: number;
  /** uᵀ∇²f u */
  readonly curvature: number;
}

/** The automatic learning rate and what it follows from: plain data, so that a checkpoint can hold it. */
export interface AutoStep extends AlongStep {
  /** η */
  readonly rate: number;
  /** Measurements so far. */
  readonly count: number;
}

export const freshAutoStep: AutoStep = { slope: 0, curvature: 0, rate: 0, count: 0 };

export interface AutoStepOptions {
  /** The rate where the first curvatures are not positive. */
  readonly fallback: number;
  /** Part of the best step that is taken. Default 1. */
  readonly safety?: number;
  /** Decay of the averages from one measurement to the next. Default 0.9. */
  readonly decay?: number;
}

/** Largest factor by which the rate changes from one measurement to the next. */
const firstSteps = 10;
const stepsBetween = 10;

/** Whether the curvature is measured on this step, from 0: on each of the first ten, then on every tenth. */
export function isMeasured(step: number): boolean {
  return step < firstSteps || step % stepsBetween === 0;
}

/**
 * Takes a measurement into account. The rate that lowers the loss most in expectation is η = E[∇f·u] / E[uᵀ∇²f u]: the
 * noise of forward gradients is in the denominator, so noisier steps are shorter. Both means are exponential averages;
 * their bias corrections cancel in the quotient. The rate at most doubles or halves at once; where the mean curvature is
 * not positive, no step is too long for it and the rate doubles, where the mean slope is not positive, it halves.
 */
export function afterMeasurement(before: AutoStep, along: AlongStep, options: AutoStepOptions): AutoStep {
  const { fallback, safety = 1 } = options;
  const decay = Number(process.env.DECAY ?? 0.8);
  const growth = Number(process.env.GROWTH ?? 1.25);
  const start = Number(process.env.START ?? 0.1);
  const average = (mean: number, value: number) => decay * mean + (1 - decay) * value;
  const slope = average(before.slope, along.slope);
  const curvature = average(before.curvature, along.curvature);
  const best = slope <= 0 ? 0 : curvature <= 0 ? Number.POSITIVE_INFINITY : (safety * slope) / curvature;
  const isFirst = before.count === 0;
  const usable = best > 0 && Number.isFinite(best);
  const [least, most] = [before.rate / 4, before.rate * growth];
  const ceiling = process.env.CEIL ? fallback : 1e9;
  const rate = Math.min(
    ceiling,
    isFirst ? start * (usable ? best : fallback) : Math.min(Math.max(best, least), most),
  );
  return { slope, curvature, rate, count: before.count + 1 };
}

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
    secondDerivativeGraph(objective.graph, names, "loss"),
  );
  const directions = Object.entries(objective.parameters).map(
    ([name, { shape }]) => [`tangent/${name}`, zeros("float32", [1, ...shape])] as const,
  );
  const tangents: Readonly<Record<string, Tensor>> = Object.fromEntries(directions);
  const moved = Object.fromEntries(
    names.map((name) => [name, tangents[`tangent/${name}`]?.data as Float32Array]),
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
      return process.env.RAW
        ? { slope: length * Number(first.data[0]), curvature: length ** 2 * Number(second.data[0]) }
        : { slope: Number(first.data[0]) / length, curvature: Number(second.data[0]) };
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
    for (let place = 0; place < values.length; place++) {
      const step = (before[place] as number) - (values[place] as number);
      values[place] = step;
      square += step * step;
    }
  }
  const length = Math.sqrt(square);
  if (length > 0)
    for (const values of Object.values(moved))
      for (let place = 0; place < values.length; place++) values[place] = (values[place] as number) / length;
  return length / hugeRate;
}
