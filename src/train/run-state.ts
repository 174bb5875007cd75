/** Where a run is, as plain data that checkpoints hold. */
import { freshPatience, type Patience, watch } from "../optim/patience.ts";
import { freshPlateau, observe, type Plateau, type PlateauRule } from "../optim/plateau.ts";
import type { Checkpoint } from "../storage/checkpoint.ts";
import type { MetricsPosition } from "../storage/metrics.ts";
import type { StreamPosition } from "./batches/batch-reading.ts";
import type { Evaluation } from "./evaluation/measure-model.ts";

/** How a run that diverged by the default learning rate went on, the last time. */
export interface Recovery {
  /** The step that it went back to. */
  readonly from: number;
  /** The step that diverged. */
  readonly divergedAt: number;
  /** What diverged, in words. */
  readonly reason: string;
  /** How often the run went back; absent where it could only once. */
  readonly times?: number;
  /** Whether the metrics have it. */
  readonly isLogged: boolean;
}

/** All that changes in a run from step to step, as plain data; parameters and the states of optimizer and estimator apart. */
export interface RunState extends MetricsPosition {
  /** Losses since the last line of the metrics. */
  readonly windowLoss: number;
  /** Steps since the last line of the metrics. */
  readonly windowSteps: number;
  /** Losses since the epoch began. */
  readonly epochLoss: number;
  /** Steps since the epoch began. */
  readonly epochSteps: number;
  /** Mean loss of the last complete epoch. */
  readonly lastEpochLoss: number;
  /** Wall time of the steps, for the report. */
  readonly timedSeconds: number;
  /** Steps that `timedSeconds` counts. */
  readonly timedSteps: number;
  /** Loss of the very first step; the divergence guard compares with it. */
  readonly firstLoss: number;
  /** Where the plateau schedule is. */
  readonly plateau: Plateau;
  /** How long early stopping has waited. */
  readonly patience: Patience;
  /** Step of the best validation loss, where early stopping keeps its parameters. */
  readonly bestStep?: number;
  /** What the validation examples said last of the parameters that are kept. */
  readonly validation?: Pick<Evaluation, "loss" | "accuracy">;
  /** Mean loss of the last window of steps, and the least of all windows. */
  readonly lastLoss?: number;
  /** The least mean loss of all windows. */
  readonly leastLoss?: number;
  /** Where the default learning rate diverged: half of it from then on, each time. */
  readonly recovery?: Recovery;
  /** What was read of a stream. */
  readonly streamed?: StreamPosition;
  /** The run's result, once it is complete. */
  readonly result?: unknown;
}

export const startOfRun: RunState = {
  step: 0,
  metricsBytes: 0,
  metricsSum: 0,
  windowLoss: 0,
  windowSteps: 0,
  epochLoss: 0,
  epochSteps: 0,
  firstLoss: 0,
  lastEpochLoss: 0,
  timedSeconds: 0,
  timedSteps: 0,
  plateau: freshPlateau,
  patience: freshPatience,
};

/** A checkpoint of a training run. */
export type RunCheckpoint = Checkpoint<RunState>;

/** @param seconds wall time of the step; undefined when it is not to be counted */
export function afterStep(before: RunState, loss: number, seconds: number | undefined): RunState {
  return {
    ...before,
    step: before.step + 1,
    windowLoss: before.windowLoss + loss,
    windowSteps: before.windowSteps + 1,
    epochLoss: before.epochLoss + loss,
    epochSteps: before.epochSteps + 1,
    timedSeconds: before.timedSeconds + (seconds ?? 0),
    timedSteps: before.timedSteps + (seconds === undefined ? 0 : 1),
  };
}

/** Begins a new window of the metrics. */
export function afterLine(before: RunState): RunState {
  return { ...before, windowLoss: 0, windowSteps: 0 };
}

/**
 * Begins a new epoch, and lets the schedule and early stopping see the validation loss, where there is one.
 *
 * @param plateau options of the plateau schedule; undefined for any other
 * @param watched what early stopping sees, the smaller the better
 */
export function afterEpoch(
  before: RunState,
  validationLoss: number | undefined,
  plateau: PlateauRule | undefined,
  watched = validationLoss,
): RunState {
  const after = {
    ...before,
    epochLoss: 0,
    epochSteps: 0,
    lastEpochLoss: before.epochLoss / before.epochSteps,
  };
  if (validationLoss === undefined) return after;
  const patience = watch(before.patience, watched ?? Number.NaN);
  return {
    ...after,
    plateau: plateau ? observe(before.plateau, validationLoss, plateau) : before.plateau,
    patience,
    bestStep: patience.waited === 0 ? before.step : before.bestStep,
  };
}
