import { DivergenceError } from "../errors/errors.ts";
import type { Estimate } from "../estimate/estimator.ts";
import { copyState, type EstimatorState } from "../estimate/state.ts";
import { NotFiniteError } from "../linalg/cholesky.ts";
import type { Objective } from "../objective/objective.ts";
import { arraysOf } from "../objective/parameters.ts";
import type { Arrays } from "../optim/optimizer.ts";
import { streamKey } from "../random/streams.ts";
import { fold } from "../random/threefry.ts";
import type { MetricsLine } from "../storage/metrics.ts";
import type { RunFiles } from "../storage/run-files.ts";
import type { Descent } from "./descent/descent.ts";
import { openDescent } from "./descent/open.ts";
import { largestLoss } from "./divergence.ts";
import type { QualityTracker } from "./evaluation/track-quality.ts";
import type { TrainEvent, TrainResult } from "./events.ts";
import { lockFiles } from "./lock-files.ts";
import { afterWindow, isGood, mayRecover, rateLeft } from "./recovery.ts";
import { runOptions } from "./run-options.ts";
import { describePlan, planRun, type RunPlan } from "./run-plan.ts";
import { resultOf } from "./run-result.ts";
import { afterEpoch, afterLine, afterStep, type Recovery, type RunState } from "./run-state.ts";
import { type SavedModel, savedModel, scoresOf } from "./saved-model.ts";
import type { TrainOptions } from "./settings/options.ts";
import type { RunOptions } from "./settings/run-settings.ts";
import { startEvent } from "./start-event.ts";
import { TrainingState } from "./training-state.ts";

const stepsPerLine = 50;
const untimedSteps = 10;

/**
 * Trains a model with forward gradients, step by step: yields after every step, so that the caller sees progress and
 * can stop at any time. The last event, `done`, carries the result and the trained model as ONNX bytes.
 *
 * @throws SettingError for options that are unknown, out of range or at odds; DivergenceError when losses explode; other
 * errors of the library for models and data that cannot be used
 * @example
 * for await (const event of train({ model, examples, runtime })) if (event.kind === "done") console.log(event.result);
 */
export async function* train(options: TrainOptions): AsyncGenerator<TrainEvent, void> {
  const run = await TrainingRun.open(await runOptions(options));
  try {
    yield* run.events();
  } finally {
    await run.release();
  }
}

/** A run under way, which can be asked for its model between two events. Whoever opens it releases it. */
export class TrainingRun {
  readonly #plan: RunPlan;
  readonly #options: RunOptions;
  readonly #objective: Objective;
  /** Of all that is trained. */
  readonly #whole: Descent;
  /** What steps are done by now: the same, or the first stage's. */
  #descent: Descent;
  /** Loaded where quality is tracked. */
  #tracker: QualityTracker | undefined;
  readonly #arrays: Arrays;
  readonly #training: TrainingState;
  readonly #saved: SavedModel;
  #stepsHere = 0;
  readonly #isTimeOver: () => boolean;
  #lastCheckpoint = performance.now();
  /** Where the run is kept, if it is. */
  readonly #files: RunFiles<RunState> | undefined;

  private constructor(
    plan: RunPlan,
    descent: Descent,
    files: RunFiles<RunState> | undefined,
    isTimeOver: () => boolean,
  ) {
    const { options, objective } = plan;
    this.#isTimeOver = isTimeOver;
    this.#plan = plan;
    this.#options = options;
    this.#objective = objective;
    this.#whole = descent;
    this.#descent = descent;
    this.#files = files;
    this.#arrays = arraysOf(objective.parameters);
    const stored = { ...objective.parameters, ...objective.statistics };
    this.#saved = savedModel(options, objective, stored);
    const remembered = descent.estimator.init?.() ?? {};
    const moments = (plan.outer ?? options).optimizer.init(this.#arrays);
    this.#training = new TrainingState(stored, moments, remembered);
  }

  /**
   * Plans the run, compares it with what its store holds, and only then differentiates.
   *
   * @param now the clock that its minutes are measured by, in milliseconds
   */
  static async open(options: RunOptions, now = () => performance.now()): Promise<TrainingRun> {
    const end = now() + (options.minutes ?? Number.POSITIVE_INFINITY) * 60_000;
    const files = options.store && (await lockFiles(options.store, options));
    let descent: Descent | undefined;
    try {
      const kept = await files?.kept();
      const begun = kept ? (await import("./settings/old-config.ts")).asBegun(options, kept) : options;
      const plan = await planRun(begun);
      await files?.compare(await describePlan(plan));
      descent = await openDescent(plan.objective, plan.estimator, (plan.outer ?? options).optimizer);
      descent = plan.outer?.taken(descent) ?? descent;
      const run = new TrainingRun(plan, descent, files, () => now() >= end);
      await run.#takeFiles();
      return run;
    } catch (error) {
      await descent?.release();
      await files?.release();
      throw error;
    }
  }

  /** The model as it is now, an ONNX file. */
  async model(): Promise<Uint8Array<ArrayBuffer>> {
    await this.#descent.settle?.();
    return this.#saved.bytes();
  }

  async release(): Promise<void> {
    const { first, batches } = this.#plan;
    for (const each of [this.#whole, first, this.#tracker, batches, this.#files]) await each?.release?.();
  }

  async *events(): AsyncGenerator<TrainEvent, void> {
    const options = this.#options;
    const memory = this.#files && (await import("./settings/identity.ts")).memoryOf(options, this.#objective);
    yield startEvent(this.#plan, this.#descent.estimator, this.#training.state, memory);
    for (const warning of this.#files?.warnings ?? []) yield { kind: "warning", ...warning };
    const finished = this.#training.state.result as TrainResult | undefined;
    if (finished) {
      const model = this.#saved.bytes();
      const warning = await this.#files?.restoreModel(model);
      if (warning) yield { kind: "warning", ...warning };
      yield { kind: "done", result: finished, model, resumedComplete: true };
      return;
    }
    yield { kind: "stage", stage: "compile" };
    while (!this.#isOver()) {
      if (options.signal?.aborted) {
        await this.#save();
        const { step } = this.#training.state;
        yield { kind: "interrupted", step, steps: this.#plan.steps, model: await this.model() };
        return;
      }
      if (this.#training.state.recovery?.isLogged === false) yield await this.#announceRecovery();
      try {
        yield await this.#step();
        if (this.#isEpochEnd()) {
          if (this.#plan.batches.split.validation.length > 0) yield { kind: "stage", stage: "validate" };
          yield await this.#endEpoch();
        }
      } catch (error) {
        if (!(error instanceof DivergenceError) || !(await this.#recover(error))) throw error;
        continue;
      }
      const { step, windowSteps, bestStep } = this.#training.state;
      // The best parameters have to be of no later step.
      if ((windowSteps === 0 && isGood(this.#training.state)) || bestStep === step) await this.#keepGood();
      const isDue = performance.now() - this.#lastCheckpoint > options.checkpointSeconds * 1000;
      if (this.#isEpochEnd() || isDue) await this.#save();
      if (this.#isTimeOver() && !this.#isOver()) {
        // The run goes on from here, whatever its end changes now.
        await this.#save();
        break;
      }
    }
    yield* this.#finish();
  }

  #isEpochEnd(): boolean {
    const { step } = this.#training.state;
    return step % this.#plan.batches.stepsPerEpoch === 0 || step === this.#plan.steps;
  }

  /** All steps are done, or early stopping has waited long enough. */
  #isOver(): boolean {
    const { step, patience } = this.#training.state;
    return (
      step >= this.#plan.steps ||
      patience.waited >= (this.#options.patience?.epochs ?? Number.POSITIVE_INFINITY)
    );
  }

  async #takeFiles(): Promise<void> {
    await this.#keepGood();
    if (!this.#files) return;
    const { parameters, optimizer, estimator } = this.#training;
    const checkpoint = await this.#files.take({ parameters, optimizer, estimator, steps: this.#plan.steps });
    if (checkpoint) this.#training.restore(checkpoint);
    // So that a lost checkpoint can be told from one that was never written.
    else await this.#save();
  }

  /** A rate that was given diverges for good. */
  async #keepGood(): Promise<void> {
    if ((this.#options.learningRate ?? this.#plan.outer) || !mayRecover(this.#training.state)) return;
    await this.#descent.settle?.();
    this.#training.keepGood();
  }

  /** Goes back to the last good state, where there is one; leaves the model of the last checkpoint behind where not. */
  async #recover({ reason }: DivergenceError): Promise<boolean> {
    this.#whole.forget?.();
    const isBack = reason !== undefined && this.#training.returnToGood(reason);
    if (!isBack) {
      const checkpoint = await this.#files?.latest();
      if (checkpoint) {
        this.#training.restore(checkpoint);
        await this.#files?.writeModel(this.#saved.bytes());
      }
      return false;
    }
    // The checkpoint first: from then on, a run that is killed goes on from here.
    await this.#save();
    await this.#files?.rewind(this.#training.state);
    return true;
  }

  async #announceRecovery(): Promise<TrainEvent> {
    const recovery = this.#training.state.recovery as Recovery;
    const { from, divergedAt, reason } = recovery;
    const learningRate = this.#currentRate();
    await this.#log({ kind: "recovery", step: from, divergedAt, reason, learningRate });
    this.#training.state = { ...this.#training.state, recovery: { ...recovery, isLogged: true } };
    return { kind: "recovery", from, divergedAt, reason, learningRate };
  }

  async #step(): Promise<TrainEvent> {
    const { seed, clip } = this.#options;
    const { stepsPerEpoch, feeds } = this.#plan.batches;
    const started = performance.now();
    const { step, plateau } = this.#training.state;
    const epoch = Math.floor(step / stepsPerEpoch) + 1;
    await this.#training.read(this.#plan.batches);
    const key = fold(streamKey(seed, "tangents"), step);
    // A run that diverged may go back to the first stage.
    this.#descent = (await this.#plan.first?.at(this.#training, openDescent)) ?? this.#whole;
    if (this.#isTracked()) await this.#descent.settle?.();
    const before = this.#isTracked() ? copyState(this.#training.estimator) : undefined;
    await this.#descent.estimator.follower?.begin(step);
    const estimate = this.#descent.estimator.estimate(feeds, key, this.#training.estimator);
    const formed = await estimate.catch(async (error) => {
      if (error instanceof NotFiniteError) await this.#guard(Number.NaN, "a derivative");
      throw error;
    });
    const { loss, gradients, statistics, unforeseen } = formed;
    // A batch in which no label counts has the loss 0, which says nothing.
    if (this.#training.state.firstLoss === 0)
      this.#training.state = { ...this.#training.state, firstLoss: loss };
    await this.#guard(loss, "the loss");
    if (!(await this.#descent.isFinite(gradients))) await this.#guard(Number.NaN, "the gradient");
    const measuring = performance.now();
    const quality = before && (await this.#trackQuality(formed, before));
    const measured = performance.now() - measuring;
    const scheduled = this.#options.schedule.factor(step, this.#plan.steps) * plateau.factor;
    const rate = scheduled * this.#noiseFactor(unforeseen) * this.#currentRate();
    await this.#descent.step(this.#arrays, gradients, this.#training.optimizer, rate, clip);
    for (const [name, values] of Object.entries(statistics)) this.#training.arrays[name]?.set(values);
    const seconds = (performance.now() - started - measured) / 1000;
    this.#training.state = afterStep(
      this.#training.state,
      loss,
      ++this.#stepsHere > untimedSteps ? seconds : undefined,
    );
    const { windowSteps, windowLoss, timedSeconds } = this.#training.state;
    if (windowSteps === stepsPerLine) {
      const mean = windowLoss / stepsPerLine;
      const line = { step: step + 1, epoch, loss: mean, learningRate: rate, seconds: timedSeconds };
      await this.#log({ kind: "train", ...line });
      this.#training.state = afterWindow(afterLine(this.#training.state), mean);
    }
    const said = { loss, quality, transferred: this.#descent.transferred?.(), learningRate: rate };
    return { kind: "step", step: step + 1, steps: this.#plan.steps, epoch, ...said };
  }

  /** How much the default rate grows as a guess foresees more of the gradient. */
  #noiseFactor(unforeseen: number | undefined): number {
    if (unforeseen === undefined || this.#options.learningRate !== undefined) return 1;
    return this.#plan.rateAt(unforeseen) / this.#plan.learningRate;
  }

  /** The rate before schedules. */
  #currentRate(): number {
    return (
      rateLeft(this.#training.state) *
      (this.#plan.first?.rateAt(this.#training.state.step) ?? this.#plan.learningRate)
    );
  }

  /** Whether this step's estimate is compared with the exact gradient. */
  #isTracked(): boolean {
    const { every } = this.#options.quality;
    return (
      this.#descent === this.#whole && every !== undefined && (this.#training.state.step + 1) % every === 0
    );
  }

  async #trackQuality(estimate: Estimate, before: EstimatorState) {
    const { quality: options, seed } = this.#options;
    const key = fold(streamKey(seed, "quality"), this.#training.state.step + 1);
    const { QualityTracker, qualityOfStep } = await import("./evaluation/track-quality.ts");
    this.#tracker ??= new QualityTracker(this.#objective, this.#descent.whole, options.draws);
    const step = this.#training.state.step + 1;
    const tracked = { feeds: this.#plan.batches.feeds, estimate, before, key };
    const quality = await qualityOfStep(this.#tracker, this.#descent, tracked);
    await this.#log({ kind: "quality", step, ...quality });
    return quality;
  }

  /** @throws DivergenceError */
  async #guard(loss: number, what: string): Promise<void> {
    const { divergenceFactor, optimizer } = this.#options;
    const { step, firstLoss } = this.#training.state;
    const limit = largestLoss(firstLoss, divergenceFactor);
    if (loss <= limit && Number.isFinite(loss)) return;
    const { explainDivergence } = await import("./not-finite.ts");
    throw await explainDivergence(this.#objective, this.#plan.batches.feeds, step === 0, {
      ...{ loss, what: `${what} of step ${step + 1}`, limit },
      ...{ learningRate: this.#currentRate(), momentum: optimizer.momentum ?? 0 },
    });
  }

  async #endEpoch(): Promise<TrainEvent> {
    const { step, timedSeconds } = this.#training.state;
    const { schedule, patience } = this.#options;
    await this.#descent.settle?.();
    const found = await this.#saved.validate(this.#plan.batches.split.validation);
    const validation = found?.evaluation;
    if (validation) await this.#guard(validation.loss, "the validation loss");
    this.#training.state = afterEpoch(
      this.#training.state,
      validation?.loss,
      schedule.plateau,
      found?.watched,
    );
    const line = {
      kind: "epoch",
      step,
      epoch: Math.ceil(step / this.#plan.batches.stepsPerEpoch),
      trainLoss: this.#training.state.lastEpochLoss,
      ...scoresOf(found),
    } as const;
    await this.#log({ ...line, seconds: timedSeconds });
    const isBest = this.#training.state.bestStep === step;
    if (patience === undefined || isBest) this.#training.state = { ...this.#training.state, validation };
    if (patience !== undefined && isBest) this.#training.keepBest();
    return { ...line, steps: this.#plan.steps };
  }

  async *#finish(): AsyncGenerator<TrainEvent, void> {
    const { test, quality, seed } = this.#options;
    const key = streamKey(seed, "quality");
    const outOfTime = !this.#isOver();
    const isBest = this.#training.takeBest();
    const { step } = this.#training.state;
    // In the middle of an epoch, what the end of the last one says is of other parameters.
    const isOlder = outOfTime && !isBest && !this.#isEpochEnd();
    const found = isOlder && (await this.#saved.validate(this.#plan.batches.split.validation));
    if (found) this.#training.state = { ...this.#training.state, validation: found.evaluation };
    if (test) yield { kind: "stage", stage: "test" };
    const tested = test && (await this.#saved.evaluate(test));
    if (quality.draws > 0) yield { kind: "stage", stage: "quality" };
    const measured = quality.draws > 0 ? await import("./evaluation/track-quality.ts") : undefined;
    const result = await resultOf(this.#options, this.#objective, this.#training.state, {
      test: tested,
      validationIndices: this.#plan.batches.split.validation,
      stepsPerEpoch: this.#plan.batches.stepsPerEpoch,
      learningRate: this.#currentRate(),
      quality:
        measured &&
        (await measured.qualityAtEnd(this.#plan, this.#descent.whole, key, this.#training.estimator)),
      outOfTime,
      bestStep: isBest ? this.#training.state.bestStep : undefined,
    });
    const model = this.#saved.bytes();
    await this.#files?.writeModel(model);
    await this.#log({ kind: "result", step, ...result });
    this.#training.state = { ...this.#training.state, result };
    if (!outOfTime) await this.#save();
    yield { kind: "done", result, model, resumedComplete: false };
  }

  async #log(line: MetricsLine): Promise<void> {
    this.#training.state = {
      ...this.#training.state,
      ...(await this.#files?.log(line, this.#training.state)),
    };
  }

  async #save(): Promise<void> {
    await this.#descent.settle?.();
    await this.#files?.save(this.#training.checkpoint());
    this.#lastCheckpoint = performance.now();
  }
}
