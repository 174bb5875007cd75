import type { Quality } from "../estimate/quality.ts";
import type { Objective } from "../objective/objective.ts";
import { countParameters } from "../objective/parameters.ts";
import { guessingOf } from "./evaluation/guessing.ts";
import type { Evaluation } from "./evaluation/measure-model.ts";
import type { TrainResult } from "./events.ts";
import type { RunState } from "./run-state.ts";
import { drawnTangents } from "./settings/estimator.ts";
import type { RunOptions } from "./settings/run-settings.ts";

/** What is known at the end of a run besides its state. */
export interface Measured extends Pick<TrainResult, "learningRate" | "bestStep"> {
  /** Of the estimates, where it was measured. */
  readonly quality: Quality | undefined;
  /** On the test examples. */
  readonly test: Evaluation | undefined;
  /** Whether the minutes were over first. */
  readonly outOfTime: boolean;
  /** Which examples were set aside for validation. */
  readonly validationIndices: Uint32Array;
  readonly stepsPerEpoch: number;
}

/** What a finished run reports. */
export async function resultOf(
  options: RunOptions,
  objective: Objective,
  state: RunState,
  { validationIndices: indices, test, stepsPerEpoch, learningRate, quality, bestStep, outOfTime }: Measured,
): Promise<TrainResult> {
  const { step, epochLoss, lastEpochLoss, timedSeconds, timedSteps, validation, recovery } = state;
  const guessing = await guessingOf(options, objective, { test, validation, indices });
  return {
    testAccuracy: test?.accuracy,
    testLoss: test?.loss,
    validationLoss: validation?.loss,
    validationAccuracy: validation?.accuracy,
    trainLoss: step < stepsPerEpoch && outOfTime ? epochLoss / step : lastEpochLoss,
    steps: step,
    epochs: step / stepsPerEpoch,
    secondsPerStep: timedSteps > 0 ? timedSeconds / timedSteps : undefined,
    parameters: countParameters(objective.parameters),
    tangents: drawnTangents(options),
    learningRate,
    ...quality,
    bestStep,
    ...(outOfTime && { outOfTime }),
    ...(guessing && { guessing }),
    ...(recovery && {
      recovery: { from: recovery.from, divergedAt: recovery.divergedAt, times: recovery.times },
    }),
  };
}
