import type { Evaluation } from "./evaluate-model.ts";
import type { TrainResult } from "./events.ts";
import type { Objective } from "./objective.ts";
import type { RunOptions } from "./options.ts";
import { countParameters } from "./parameters.ts";
import type { Progress } from "./progress.ts";

/** What is known at the end of a run besides its progress. */
export interface Measured extends Pick<TrainResult, "learningRate" | "cosine" | "bestStep"> {
  /** On the test examples. */
  readonly test: Evaluation | undefined;
  readonly stepsPerEpoch: number;
}

/** What a finished run reports. */
export function resultOf(
  { gradient, tangents = 16 }: RunOptions,
  objective: Objective,
  progress: Progress,
  { test, stepsPerEpoch, learningRate, cosine, bestStep }: Measured,
): TrainResult {
  const { step, lastEpochLoss, timedSeconds, timedSteps, validation, recovery } = progress;
  return {
    testAccuracy: test?.accuracy,
    testLoss: test?.loss,
    validationLoss: validation?.loss,
    validationAccuracy: validation?.accuracy,
    trainLoss: lastEpochLoss,
    steps: step,
    epochs: step / stepsPerEpoch,
    secondsPerStep: timedSteps > 0 ? timedSeconds / timedSteps : undefined,
    parameters: countParameters(objective.parameters),
    tangents: gradient === "exact" ? 0 : tangents,
    learningRate,
    cosine,
    bestStep,
    ...(recovery && { recovery: { from: recovery.from, divergedAt: recovery.divergedAt } }),
  };
}
