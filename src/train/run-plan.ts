/** All that follows from a run's options before anything is differentiated. */
import { targetShapeOf } from "../data/dataset.ts";
import type { Words } from "../errors/words.ts";
import type { EstimatorPlan } from "../estimate/estimator.ts";
import { exact } from "../estimate/estimators.ts";
import { checkedInput } from "../objective/model-inputs.ts";
import { modelObjective, type Objective } from "../objective/objective.ts";
import { checkBatch, checkTargets, lossInputs } from "../objective/targets.ts";
import { sgd } from "../optim/sgd.ts";
import type { DescribedRun } from "../storage/run-files.ts";
import { batchesOf, requireValidation } from "./batches/batch-reader.ts";
import type { BatchReader } from "./batches/batch-reading.ts";
import { batchSize, leftToTrain, stepsOf } from "./batches/batch-size.ts";
import type { PartsPlan } from "./batches/in-parts.ts";
import type { OuterSteps } from "./batches/local-steps.ts";
import type { FirstStage } from "./descent/first-stage.ts";
import { fastest } from "./descent/open.ts";
import { runLearningRate } from "./learning-rate.ts";
import { runOptions } from "./run-options.ts";
import { planEstimator } from "./settings/estimator.ts";
import type { TrainOptions } from "./settings/options.ts";
import type { RunOptions } from "./settings/run-settings.ts";

/** What a run will be, known before anything is differentiated. */
export interface RunPlan {
  readonly options: RunOptions;
  readonly objective: Objective;
  /** Of steps in parts, also what computes one. */
  readonly estimator: EstimatorPlan & Partial<Pick<PartsPlan, "openPart">>;
  readonly batches: BatchReader;
  readonly steps: number;
  /** Before schedules: the one that was given, or the default. */
  readonly learningRate: number;
  /** The same once a guess leaves so much of ‖∇f‖² unforeseen. */
  readonly rateAt: (unforeseen: number) => number;
  /** What is trained alone before all else joins. Default: nothing. */
  readonly first?: FirstStage | undefined;
  /** What moves the parameters where each part of a batch takes steps by itself. Default: each step is one of the run. */
  readonly outer?: OuterSteps | undefined;
  /** What it does otherwise than asked for, and why. */
  readonly notes: readonly Words[];
}

/** Imports the model, finds its sites, and counts the steps. @throws for models and data that cannot be used together */
export async function planRun(options: RunOptions): Promise<RunPlan> {
  const { examples, test, validation, stream } = options;
  const objective = await modelObjective({
    ...options,
    batch: batchSize(stream ?? examples, options),
    targetShape: targetShapeOf(examples),
    dimensions: (await checkedInput(options.model, examples, options)).dimensions,
  });
  checkBatch(objective);
  checkTargets(lossInputs(objective), examples, "the training data");
  for (const [held, what] of [
    [test, "the test data"],
    [validation, "the validation data"],
  ] as const)
    if (typeof held === "object") {
      await checkedInput(options.model, held, options);
      checkTargets(lossInputs(objective), held, what);
    }
  const { optimizer, clip, runtime } = options;
  // Whoever else reads a gradient reads an array.
  const resident = runtime.residence?.isApart && !!optimizer.rule;
  const factored = optimizer.isPlain === true && clip === undefined && !resident;
  const read = await batchesOf(objective, options);
  const rateOf = (now: number): number => learningRate * options.schedule.factor(now, alone.steps);
  // Loaded where steps are exchanges.
  const local = options.outer && (await import("./batches/local-steps.ts"));
  local?.requireLocal(options, objective);
  const outer = options.outer && local?.outerSteps(options.outer, sgd);
  const batches = local && outer ? local.localBatches(read, outer.steps) : read;
  const descending = outer && {
    ...options,
    optimizer: await fastest(optimizer),
    steps: outer.steps,
    rateAt: rateOf,
  };
  const plan =
    options.accumulate > 1 || options.parts || outer
      ? (await import("./batches/in-parts.ts")).planInParts(batches, options, planEstimator, descending)
      : planEstimator;
  const estimator: RunPlan["estimator"] = await plan(objective, options, {
    remembers: true,
    factored,
    resident,
  });
  await requireValidation(options, batches.split.validation.length);
  const steps = stepsOf(options, batches.stepsPerEpoch);
  const together = { batch: objective.batch * options.accumulate, steps };
  const alone = { batch: objective.batch, steps: steps * (outer?.steps ?? 1) };
  const rateAt = runLearningRate(options, estimator, outer ? alone : together);
  const learningRate = rateAt();
  const by = { planEstimator: plan, runLearningRate, exact };
  const first =
    options.headFirst &&
    (await (await import("./settings/head-settings.ts")).planFirstStage(objective, options, steps, by));
  const left = leftToTrain(stream ?? examples, validation);
  const notes = [
    ...(first?.notes ?? options.notes ?? []),
    ...objective.notes,
    ...(estimator.notes ?? []),
    ...(left < options.batch && left === objective.batch * options.accumulate
      ? [(await import("./batches/batch-words.ts")).smallerBatch(stream ?? examples, left, options.batch)]
      : []),
  ];
  return { options, objective, estimator, batches, steps, learningRate, rateAt, notes, first, outer };
}

/** What a planned run is, as plain data. Loaded where a run is kept: pages that keep none do without. */
export async function describePlan(plan: RunPlan): Promise<DescribedRun> {
  const { options, objective, estimator, learningRate, steps } = plan;
  const validation = plan.batches.split.validation.length;
  const { describedRun } = await import("./settings/identity.ts");
  return describedRun(options, objective, { learningRate, steps, validation, guess: estimator.guess });
}

/**
 * What a run would be: nothing is trained or kept.
 *
 * @throws as `train`
 */
export async function previewTraining(
  options: TrainOptions,
): Promise<DescribedRun & Pick<RunPlan, "learningRate" | "steps" | "notes">> {
  const { store, resume, overwrite, allowChanges, ...rest } = options;
  const plan = await planRun(await runOptions(rest));
  const { learningRate, steps, notes } = plan;
  return { ...(await describePlan(plan)), learningRate, steps, notes };
}
