import { freshPatience, type Patience, watch } from "../optim/patience.ts";
import { freshPlateau, observe, type Plateau, type PlateauOptions } from "../optim/plateau.ts";
import { type AutoStep, freshAutoStep } from "./auto-step.ts";
import type { Evaluation } from "./evaluate-model.ts";

/** Plain data of a run in progress: all that changes from step to step, parameters and optimizer state apart. */
export interface Progress {
  /** Steps done. */
  readonly step: number;
  /** Bytes of metrics.jsonl that belong to these steps. */
  readonly metricsBytes: number;
  /** Losses since the last line of the metrics. */
  readonly windowLoss: number;
  readonly windowSteps: number;
  /** Losses since the epoch began. */
  readonly epochLoss: number;
  readonly epochSteps: number;
  /** Mean loss of the last complete epoch. */
  readonly lastEpochLoss: number;
  /** Wall time of the steps, for the report. */
  readonly timedSeconds: number;
  readonly timedSteps: number;
  /** Loss of the very first step; the divergence guard compares with it. */
  readonly firstLoss: number;
  /** The learning rate where it is automatic. */
  readonly autoStep: AutoStep;
  /** Where the plateau schedule is. */
  readonly plateau: Plateau;
  /** How long early stopping has waited. */
  readonly patience: Patience;
  /** Step of the best validation loss, where early stopping keeps its parameters. */
  readonly bestStep?: number;
  /** What the validation examples said last of the parameters that are kept. */
  readonly validation?: Evaluation;
  /** The run's result, once it is complete. */
  readonly result?: unknown;
}

export const startOfRun: Progress = {
  step: 0,
  metricsBytes: 0,
  windowLoss: 0,
  windowSteps: 0,
  epochLoss: 0,
  epochSteps: 0,
  firstLoss: 0,
  lastEpochLoss: 0,
  timedSeconds: 0,
  timedSteps: 0,
  autoStep: freshAutoStep,
  plateau: freshPlateau,
  patience: freshPatience,
};

/** @param seconds wall time of the step; undefined when it is not to be counted */
export function afterStep(before: Progress, loss: number, seconds: number | undefined): Progress {
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
export function afterLine(before: Progress): Progress {
  return { ...before, windowLoss: 0, windowSteps: 0 };
}

/**
 * Begins a new epoch, and lets the schedule and early stopping see the validation loss, where there is one.
 *
 * @param plateau options of the plateau schedule; undefined for any other
 */
export function afterEpoch(
  before: Progress,
  validationLoss: number | undefined,
  plateau: PlateauOptions | undefined,
): Progress {
  const after = {
    ...before,
    epochLoss: 0,
    epochSteps: 0,
    lastEpochLoss: before.epochLoss / before.epochSteps,
  };
  if (validationLoss === undefined) return after;
  const patience = watch(before.patience, validationLoss);
  return {
    ...after,
    plateau: plateau ? observe(before.plateau, validationLoss, plateau) : before.plateau,
    patience,
    bestStep: patience.waited === 0 ? before.step : before.bestStep,
  };
}
