import { targetShapeOf } from "../data/dataset.ts";
import type { Words } from "../errors/words.ts";
import type { EstimatorPlan } from "../estimate/estimator.ts";
import { crossEntropy } from "../losses/cross-entropy.ts";
import { exampleInput } from "../objective/model-inputs.ts";
import { compileObjective, type Objective } from "../objective/objective.ts";
import { checkBatch, checkTargets, lossInputs } from "../objective/targets.ts";
import type { RunConfig } from "../storage/run-config.ts";
import { type BatchReader, batchesOf } from "./batch-reader.ts";
import { batchNotes, batchSize, stepsOf } from "./batch-size.ts";
import { describeRun } from "./describe-run.ts";
import type { RunOptions } from "./options.ts";
import { checkSettings, learningRateOf, planEstimator, requireValidation } from "./prepare.ts";

/** What a run will be, known before anything is differentiated. */
export interface RunPlan {
  readonly options: RunOptions;
  readonly objective: Objective;
  readonly estimator: EstimatorPlan;
  readonly batches: BatchReader;
  readonly steps: number;
  /** Before schedules: the one that was given, or the default. */
  readonly learningRate: number;
  /** What it does otherwise than asked for, and why. */
  readonly notes: readonly Words[];
}

/** Imports the model, finds its sites, and counts the steps. @throws for models and data that cannot be used together */
export async function planRun(options: RunOptions): Promise<RunPlan> {
  const { examples, test } = options;
  checkSettings(options, examples);
  const objective = await compileObjective({
    ...options,
    loss: options.loss ?? crossEntropy(),
    batch: batchSize(examples, options),
    targetShape: targetShapeOf(examples),
    dimensions: exampleInput(options.model, examples, options).dimensions,
  });
  checkBatch(objective);
  checkTargets(lossInputs(objective), examples, "the training data");
  if (test) checkTargets(lossInputs(objective), test, "the test data");
  const estimator = await planEstimator(objective, options);
  const batches = batchesOf(objective, options);
  requireValidation(options, batches.split.validation.length);
  const steps = stepsOf(options, batches.stepsPerEpoch);
  const learningRate = learningRateOf(options, estimator, { batch: objective.batch, steps });
  const notes = [...objective.notes, ...batchNotes(examples, options, objective.batch)];
  return { options, objective, estimator, batches, steps, learningRate, notes };
}

/** What a planned run is, as plain data. */
export function describePlan({ options, objective, learningRate, steps }: RunPlan): Promise<RunConfig> {
  return describeRun(options, objective, learningRate, steps);
}
