import { arraysOf, copyTensors, setParameters } from "../objective/parameters.ts";
import type { Tensor } from "../onnx/tensor.ts";
import type { Arrays } from "../optim/optimizer.ts";
import type { Progress } from "./progress.ts";

/** A state that a run can go back to. */
export interface GoodState {
  /** Parameters and running statistics. */
  readonly parameters: Readonly<Record<string, Tensor>>;
  readonly optimizer: Arrays;
  readonly progress: Progress;
}

/** What the learning rate is multiplied by. */
export const recoveredRate = 0.5;

/** A window of steps is good whose mean loss is at most this many times the least one so far. */
const tolerance = 2;

/** A copy of the state, in the room of the one before where there is one. */
export function keepState(state: GoodState, before?: GoodState): GoodState {
  if (!before) {
    const optimizer = Object.entries(state.optimizer).map(([name, data]) => [name, data.slice()] as const);
    return { ...state, parameters: copyTensors(state.parameters), optimizer: Object.fromEntries(optimizer) };
  }
  setParameters(arraysOf(before.parameters), state.parameters);
  for (const [name, data] of Object.entries(before.optimizer))
    data.set(state.optimizer[name] as Float32Array);
  return { ...before, progress: state.progress };
}

/** Takes the mean loss of a window of steps into account. */
export function afterWindow(before: Progress, loss: number): Progress {
  const { leastLoss = loss } = before;
  return { ...before, lastLoss: loss, leastLoss: Math.min(leastLoss, loss) };
}

/** Whether the last window of steps is no sign of a divergence. */
export function isGood({ lastLoss = 0, leastLoss = 0 }: Progress): boolean {
  return lastLoss <= tolerance * leastLoss;
}

/** Where a run goes on that diverged. */
export function afterDivergence(good: Progress, diverged: Progress, reason: string): Progress {
  const recovery = { from: good.step, divergedAt: diverged.step + 1, reason, isLogged: false };
  return { ...good, recovery };
}
