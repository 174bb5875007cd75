/** How a run whose default learning rate diverged goes on from its last good state. */
import { copyState } from "../estimate/state.ts";
import { arraysOf, copyTensors, setParameters } from "../objective/parameters.ts";
import type { Snapshot } from "../storage/checkpoint.ts";
import type { Recovery, RunState } from "./run-state.ts";

/** What the learning rate is multiplied by each time. */
const recoveredRate = 0.5;

/** So many times; a run that still diverges at 1/256 of its rate has another fault. */
const mostRecoveries = 8;

/** A window of steps is good whose mean loss is at most this many times the least one so far. */
const tolerance = 2;

/** A copy of what a run is now, written into the copy before where there is one. */
export function keepSnapshot(
  { parameters, optimizer, estimator, state }: Snapshot<RunState>,
  before?: Snapshot<RunState>,
): Snapshot<RunState> {
  if (!before) {
    const numbers = Object.entries(optimizer).map(([name, data]) => [name, data.slice()] as const);
    return {
      parameters: copyTensors(parameters),
      optimizer: Object.fromEntries(numbers),
      estimator: copyState(estimator),
      state,
    };
  }
  setParameters(arraysOf(before.parameters), parameters);
  for (const [name, data] of Object.entries(before.optimizer)) data.set(optimizer[name] as Float32Array);
  return { ...before, estimator: copyState(estimator), state };
}

/** Takes the mean loss of a window of steps into account. */
export function afterWindow(before: RunState, loss: number): RunState {
  const { leastLoss = loss } = before;
  return { ...before, lastLoss: loss, leastLoss: Math.min(leastLoss, loss) };
}

/** Whether the last window of steps is no sign of a divergence. */
export function isGood({ lastLoss = 0, leastLoss = 0 }: RunState): boolean {
  return lastLoss <= tolerance * leastLoss;
}

/** Whether a run that diverges now may go back. */
export function mayRecover({ recovery }: RunState): boolean {
  return timesRecovered(recovery) < mostRecoveries;
}

/** What is left of the learning rate. */
export function rateLeft({ recovery }: RunState): number {
  return recoveredRate ** timesRecovered(recovery);
}

/** Where a run goes on that diverged. */
export function afterDivergence(good: RunState, diverged: RunState, reason: string): RunState {
  const times = timesRecovered(diverged.recovery) + 1;
  const recovery = { from: good.step, divergedAt: diverged.step + 1, reason, times, isLogged: false };
  return { ...good, recovery };
}

function timesRecovered(recovery: Recovery | undefined): number {
  return recovery ? (recovery.times ?? 1) : 0;
}
