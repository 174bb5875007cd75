import { epochOrder, readBatch, splitValidation } from "../data/batches.ts";
import { type Examples, exampleSize } from "../data/dataset.ts";
import { crossEntropy } from "../losses/cross-entropy.ts";
import type { Loss } from "../losses/loss.ts";
import type { Model } from "../onnx/decode.ts";
import { encodeModel } from "../onnx/encode.ts";
import type { Graph } from "../onnx/graph.ts";
import type { Tensor } from "../onnx/tensor.ts";
import type { Arrays } from "../optim/optimizer.ts";
import { schedules } from "../optim/schedules.ts";
import { fold, type Key, keyFromSeed } from "../random/threefry.ts";
import type { Runtime, Tensors } from "../runtime/runtime.ts";
import { type Checkpoint, loadCheckpoint, type Progress, saveCheckpoint } from "./checkpoint.ts";
import { guardDivergence } from "./divergence.ts";
import type { Estimator } from "./estimator.ts";
import { type Evaluation, evaluateModel, inputShape, labelsFor } from "./evaluate-model.ts";
import type { TrainEvent, TrainResult } from "./events.ts";
import { type ExampleArrays, examplesFor } from "./example-arrays.ts";
import { encodeLine, type MetricsLine } from "./metrics.ts";
import { compileObjective, modelFrom, type Objective } from "./objective.ts";
import {
  checkSettings,
  checkTargets,
  createEstimator,
  createOptimizer,
  describeSettings,
  learningRateOf,
  type TrainSettings,
} from "./prepare.ts";
import { measureQuality } from "./quality.ts";
import { claimStore, fingerprint } from "./run-config.ts";
import type { RunStore } from "./run-store.ts";

export interface TrainOptions extends TrainSettings, ExampleArrays {
  /** An ONNX file's bytes, a decoded model, or a graph from the builder. */
  readonly model: Uint8Array | Model | Graph;
  /** Training examples, of which a validation part is split off; or give `inputs` and `labels`. */
  readonly examples?: Examples;
  /** Test examples, used once, at the end. */
  readonly test?: Examples;
  readonly runtime: Runtime;
  /** Keeps configuration, metrics, checkpoints and the trained model; default: nothing is kept. */
  readonly store?: RunStore;
  /** Goes on from the store's checkpoint where there is one. */
  readonly resume?: boolean;
  /** Lets a resumed run change threads, chunk and runtime version. */
  readonly allowChanges?: boolean;
  /** Ends the run after the current step, with a checkpoint. */
  readonly signal?: AbortSignal;
  /** Seconds between checkpoints; one more is written after each epoch. Default 10. */
  readonly checkpointSeconds?: number;
  /** Draws of the tangents over which the gradient's quality is measured at the end. Default 0: not measured. */
  readonly qualityDraws?: number;
}

// What each stream of the seed is for; stream 1 initializes models.
const streams = { split: 2, order: 3, tangents: 4, quality: 5, augmentation: 6 } as const;
const stepsPerLine = 50;
const untimedSteps = 10;

/**
 * Trains a model with forward gradients, step by step: yields after every step, so that the caller sees progress and
 * can stop at any time. The last event, `done`, carries the result and the trained model as ONNX bytes.
 *
 * @throws DivergenceError when losses explode; Error for unusable models, data or settings
 * @example
 * for await (const event of train({ model, examples, runtime })) if (event.kind === "done") console.log(event.result);
 */
export async function* train(options: TrainOptions): AsyncGenerator<TrainEvent, void> {
  const model = modelFrom(options.model);
  const run = await TrainingRun.open({ ...options, model, examples: examplesFor(model, options) });
  try {
    yield* run.events();
  } finally {
    await run.release();
  }
}

type RunOptions = TrainOptions & { readonly model: Model; readonly examples: Examples };

class TrainingRun {
  readonly #options: RunOptions;
  readonly #objective: Objective;
  readonly #estimator: Estimator;
  readonly #loss: Loss;
  readonly #learningRate: number;
  readonly #arrays: Arrays;
  readonly #split: { readonly train: Uint32Array; readonly validation: Uint32Array };
  readonly #stepsPerEpoch: number;
  readonly #totalSteps: number;
  readonly #inputs: Tensor & { readonly data: Float32Array };
  readonly #labels: ReturnType<typeof labelsFor>;
  readonly #feeds: Tensors;
  #optimizerState: Arrays;
  #progress: Progress = {
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
  };
  #order: { readonly epoch: number; readonly indices: Uint32Array } | undefined;
  #stepsHere = 0;
  #lastCheckpoint = performance.now();

  private constructor(options: RunOptions, objective: Objective, estimator: Estimator, loss: Loss) {
    const { examples, batch: _, seed = 0, epochs, steps } = options;
    this.#options = options;
    this.#objective = objective;
    this.#estimator = estimator;
    this.#loss = loss;
    this.#learningRate = learningRateOf(options, estimator);
    this.#arrays = Object.fromEntries(
      Object.entries(objective.parameters).map(([name, { data }]) => [name, data]),
    );
    this.#optimizerState = createOptimizer(options).init(this.#arrays);
    const validation = options.validation ?? Math.min(5000, Math.floor(examples.count / 10));
    this.#split = splitValidation(examples.count, validation, fold(keyFromSeed(seed), streams.split));
    this.#stepsPerEpoch = Math.floor(this.#split.train.length / objective.batch);
    if (this.#stepsPerEpoch === 0) {
      throw new Error(
        `The training set has ${this.#split.train.length} examples after ${validation} were split off for validation, fewer ` +
          `than one batch of ${objective.batch}; use a smaller batch, a smaller validation part, or more data.`,
      );
    }
    const wanted = (epochs ?? (steps === undefined ? 1 : Number.POSITIVE_INFINITY)) * this.#stepsPerEpoch;
    this.#totalSteps = Math.min(Math.round(wanted), steps ?? Number.POSITIVE_INFINITY);
    const batch = objective.batch;
    this.#inputs = {
      dtype: "float32",
      shape: [batch, ...inputShape(objective.model, examples)],
      data: new Float32Array(batch * exampleSize(examples)),
    };
    this.#labels = labelsFor(examples, batch);
    this.#feeds = {
      ...objective.parameters,
      [objective.model.inputs[0]?.name ?? ""]: this.#inputs,
      [objective.target]: this.#labels,
    };
  }

  static async open(options: RunOptions): Promise<TrainingRun> {
    const loss = options.loss ?? crossEntropy();
    const { model, runtime, batch = 64, output, trainable } = options;
    checkSettings(options, options.examples);
    const objective = await compileObjective({ model, loss, runtime, batch, output, trainable });
    checkTargets(objective, options.examples, "the training data");
    if (options.test) checkTargets(objective, options.test, "the test data");
    const estimator = await createEstimator(objective, options);
    try {
      const run = new TrainingRun(options, objective, estimator, loss);
      await run.#claim();
      return run;
    } catch (error) {
      await estimator.release();
      throw error;
    }
  }

  release(): Promise<void> {
    return this.#estimator.release();
  }

  async *events(): AsyncGenerator<TrainEvent, void> {
    const options = this.#options;
    const objective = this.#objective;
    yield {
      kind: "start",
      model: objective.model.name,
      parameters: parameterCount(objective),
      dimension: this.#estimator.dimension,
      tangents: options.gradient === "exact" ? 0 : (options.tangents ?? 16),
      learningRate: this.#learningRate,
      batch: objective.batch,
      steps: this.#totalSteps,
      step: this.#progress.step,
    };
    const finished = this.#progress.result as TrainResult | undefined;
    if (finished) {
      yield { kind: "done", result: finished, model: this.#modelBytes(), resumedComplete: true };
      return;
    }
    while (this.#progress.step < this.#totalSteps) {
      yield await this.#step();
      const { step } = this.#progress;
      const isEpochEnd = step % this.#stepsPerEpoch === 0 || step === this.#totalSteps;
      if (isEpochEnd) yield await this.#endEpoch();
      const isDue = performance.now() - this.#lastCheckpoint > (options.checkpointSeconds ?? 10) * 1000;
      if (isEpochEnd || isDue) await this.#save();
      if (options.signal?.aborted && step < this.#totalSteps) {
        await this.#save();
        yield { kind: "interrupted", step, steps: this.#totalSteps };
        return;
      }
    }
    yield await this.#finish();
  }

  async #claim(): Promise<void> {
    const { store, resume = false, allowChanges = false, examples, runtime } = this.#options;
    if (!store) return;
    const config = {
      model: await fingerprint(encodeModel(this.#objective.model, new Map())),
      data: await fingerprint(examples.inputs, examples.labels),
      ...describeSettings(this.#options, this.#objective, this.#learningRate, this.#totalSteps),
      threads: runtime.threads,
      runtime: runtime.name,
    };
    const isKnown = await claimStore(store, config, { resume, allowChanges });
    const checkpoint = isKnown ? await loadCheckpoint(store) : undefined;
    if (checkpoint) this.#restore(checkpoint);
    await store.truncate("metrics.jsonl", this.#progress.metricsBytes);
  }

  #restore(checkpoint: Checkpoint): void {
    for (const [name, { data }] of Object.entries(checkpoint.parameters))
      this.#arrays[name]?.set(data as Float32Array);
    this.#optimizerState = checkpoint.optimizer;
    this.#progress = checkpoint.progress;
  }

  async #step(): Promise<TrainEvent> {
    const { examples, augment, seed = 0, schedule = "cosine" } = this.#options;
    const started = performance.now();
    const { step } = this.#progress;
    const epoch = Math.floor(step / this.#stepsPerEpoch);
    const root = keyFromSeed(seed);
    if (this.#order?.epoch !== epoch) {
      this.#order = { epoch, indices: epochOrder(this.#split.train, fold(root, streams.order), epoch) };
    }
    const batch = this.#objective.batch;
    const start = (step % this.#stepsPerEpoch) * batch;
    const changes = augment && { steps: augment, key: fold(fold(root, streams.augmentation), epoch) };
    readBatch(examples, this.#order.indices, start, batch, this.#inputs.data, this.#labels.data, changes);
    const key = fold(fold(root, streams.tangents), step);
    const { loss, gradients } = await this.#estimator.estimate(this.#feeds, key);
    const firstLoss = step === 0 ? loss : this.#progress.firstLoss;
    this.#progress = { ...this.#progress, firstLoss };
    await this.#guard(loss, "the loss");
    const factor = schedules[schedule](step, this.#totalSteps);
    createOptimizer(this.#options).update(
      this.#arrays,
      gradients,
      this.#optimizerState,
      factor * this.#learningRate,
    );
    const seconds = (performance.now() - started) / 1000;
    const isTimed = ++this.#stepsHere > untimedSteps;
    const before = this.#progress;
    this.#progress = {
      ...before,
      step: step + 1,
      windowLoss: before.windowLoss + loss,
      windowSteps: before.windowSteps + 1,
      epochLoss: before.epochLoss + loss,
      epochSteps: before.epochSteps + 1,
      firstLoss,
      timedSeconds: before.timedSeconds + (isTimed ? seconds : 0),
      timedSteps: before.timedSteps + (isTimed ? 1 : 0),
    };
    if (this.#progress.windowSteps === stepsPerLine) {
      const mean = this.#progress.windowLoss / stepsPerLine;
      await this.#log({
        kind: "train",
        step: step + 1,
        epoch: epoch + 1,
        loss: mean,
        seconds: this.#progress.timedSeconds,
      });
      this.#progress = { ...this.#progress, windowLoss: 0, windowSteps: 0 };
    }
    return { kind: "step", step: step + 1, steps: this.#totalSteps, epoch: epoch + 1, loss };
  }

  /** Stops a diverged run, with the model of the last checkpoint left behind. */
  async #guard(loss: number, what: string): Promise<void> {
    const { divergenceFactor = 100, momentum = 0 } = this.#options;
    const { step, firstLoss } = this.#progress;
    try {
      guardDivergence(loss, firstLoss, divergenceFactor, `${what} of step ${step + 1}`, {
        learningRate: this.#learningRate,
        momentum,
      });
    } catch (error) {
      await this.#keepLastGood();
      throw error;
    }
  }

  async #endEpoch(): Promise<TrainEvent> {
    const { step, epochLoss, epochSteps } = this.#progress;
    const validation = await this.#evaluate(this.#options.examples, this.#split.validation);
    if (validation) await this.#guard(validation.loss, "the validation loss");
    const trainLoss = epochLoss / epochSteps;
    const epoch = Math.ceil(step / this.#stepsPerEpoch);
    await this.#log({
      kind: "epoch",
      step,
      epoch,
      trainLoss,
      validationLoss: validation?.loss,
      validationAccuracy: validation?.accuracy,
      seconds: this.#progress.timedSeconds,
    });
    this.#progress = { ...this.#progress, epochLoss: 0, epochSteps: 0, lastEpochLoss: trainLoss };
    return {
      kind: "epoch",
      epoch,
      step,
      steps: this.#totalSteps,
      trainLoss,
      validationLoss: validation?.loss,
      validationAccuracy: validation?.accuracy,
    };
  }

  async #finish(): Promise<TrainEvent> {
    const { store, test, qualityDraws = 0, seed = 0 } = this.#options;
    const measured = test ? await this.#evaluate(test) : undefined;
    const { step, lastEpochLoss, timedSeconds, timedSteps } = this.#progress;
    const key = fold(keyFromSeed(seed), streams.quality);
    const result: TrainResult = {
      testAccuracy: measured?.accuracy,
      testLoss: measured?.loss,
      trainLoss: lastEpochLoss,
      steps: step,
      epochs: step / this.#stepsPerEpoch,
      secondsPerStep: timedSteps > 0 ? timedSeconds / timedSteps : undefined,
      parameters: parameterCount(this.#objective),
      tangents: this.#options.gradient === "exact" ? 0 : (this.#options.tangents ?? 16),
      learningRate: this.#learningRate,
      cosine: qualityDraws > 0 ? await this.#quality(key, qualityDraws) : undefined,
    };
    const model = this.#modelBytes();
    await store?.write("model.onnx", model);
    await this.#log({ kind: "result", step, ...result });
    this.#progress = { ...this.#progress, result };
    await this.#save();
    return { kind: "done", result, model, resumedComplete: false };
  }

  /** On the first batch of the training part, so that a resumed run measures the same. */
  async #quality(key: Key, draws: number): Promise<number> {
    const { examples } = this.#options;
    const batch = this.#objective.batch;
    readBatch(examples, this.#split.train, 0, batch, this.#inputs.data, this.#labels.data);
    return measureQuality(this.#objective, this.#estimator, this.#feeds, key, draws);
  }

  async #evaluate(examples: Examples, indices?: Uint32Array): Promise<Evaluation | undefined> {
    if (indices?.length === 0) return undefined;
    const { model, parameters, output, runtime } = this.#objective;
    return evaluateModel({ model, parameters, examples, indices, loss: this.#loss, output, runtime });
  }

  #modelBytes(): Uint8Array<ArrayBuffer> {
    return encodeModel(this.#objective.model, new Map(Object.entries(this.#objective.parameters)));
  }

  async #log(line: MetricsLine): Promise<void> {
    const text = encodeLine(line);
    await this.#options.store?.append("metrics.jsonl", text);
    const bytes = new TextEncoder().encode(text).length;
    this.#progress = { ...this.#progress, metricsBytes: this.#progress.metricsBytes + bytes };
  }

  async #save(): Promise<void> {
    const { store } = this.#options;
    if (!store) return;
    await saveCheckpoint(store, {
      parameters: this.#objective.parameters,
      optimizer: this.#optimizerState,
      progress: this.#progress,
    });
    this.#lastCheckpoint = performance.now();
  }

  /** Leaves the model of the last checkpoint behind. */
  async #keepLastGood(): Promise<void> {
    const { store } = this.#options;
    const checkpoint = store && (await loadCheckpoint(store));
    if (!checkpoint) return;
    this.#restore(checkpoint);
    await store.write("model.onnx", this.#modelBytes());
  }
}

function parameterCount(objective: Objective): number {
  return Object.values(objective.parameters).reduce((total, { data }) => total + data.length, 0);
}
