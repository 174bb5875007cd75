/** Runs of the study of networks, and their rows. */
import * as z from "zod/mini";
import type { Dataset, Examples } from "../../data/dataset.ts";
import { takeExamples } from "../../data/split.ts";
import { DivergenceError } from "../../errors/errors.ts";
import { crossEntropy } from "../../losses/cross-entropy.ts";
import { floatOutput } from "../../objective/importing/import-model.ts";
import { modelOfGraph } from "../../objective/importing/model-file.ts";
import { permutation } from "../../random/permutation.ts";
import { keyFromSeed } from "../../random/threefry.ts";
import { checkpointFiles, unitFiles } from "../../storage/own-files.ts";
import type { RunStore } from "../../storage/run-store.ts";
import { readSealed, writeSealed } from "../../storage/sealed.ts";
import { evaluateModel } from "../../train/evaluation/evaluate-model.ts";
import type { TrainSettings } from "../../train/settings/options.ts";
import { train } from "../../train/train.ts";
import type { GradientMethod } from "../functions/optimize.ts";
import type { Column, Environment, Row } from "../study.ts";
import { batchOf, buildNetwork, type NetworkDataset, type NetworkName } from "./models.ts";
import { networkLearningRate } from "./reference.ts";

/** How a network is trained: as the authors do, or with this library's defaults. */
export const trainingPaths = ["paper", "ours"] as const;

export type TrainingPath = (typeof trainingPaths)[number];

/** Validation losses without improvement after which a run of the paper's path stops. */
export const patience = 10;

/** A validation loss from which on a run counts as diverged, here and in the authors' code. */
const lossLimit = 10;

/** One training run. */
export interface NetworkRun {
  readonly path: TrainingPath;
  readonly network: NetworkName;
  readonly dataset: NetworkDataset;
  readonly method: Pick<GradientMethod, "gradient" | "k">;
  readonly seed: number;
}

/** How long runs are, and on how much data. */
export interface RunLimits {
  readonly epochs: number;
  /** Most steps; 0: no limit. */
  readonly steps: number;
  /** Examples to train and validate on, and most to test on; 0: all. */
  readonly subset: number;
}

/** What tells one run from another, seeds apart, in either CSV file. */
export const networkColumns: readonly Column[] = [
  {
    name: "path",
    kind: "text",
    description: "paper: as the authors train; ours: the defaults of this library",
  },
  { name: "network", kind: "text", description: "name of the network" },
  { name: "dataset", kind: "text", description: "name of the dataset" },
  {
    name: "gradient",
    kind: "text",
    description: "exact, or how the derivatives along tangents are combined",
  },
  { name: "k", kind: "number", description: "number of tangents; 0 for the exact gradient" },
  { name: "learning_rate", kind: "number", description: "factor of the estimate, before the schedule" },
];

/** Columns of results.csv: runs, and what was measured after each of their epochs. */
export const networkRunColumns: readonly Column[] = [
  {
    name: "kind",
    kind: "text",
    description: "run: a whole run; curve: the parameters after an epoch of it",
  },
  ...networkColumns,
  { name: "seed", kind: "number", description: "decides parameters, validation part, order and tangents" },
  {
    name: "epoch",
    kind: "number",
    description: "of a curve: epochs done; of a run: the one with the lowest validation loss",
  },
  { name: "test_accuracy", kind: "number", description: "after that epoch, from 0 to 1" },
  { name: "test_loss", kind: "number", description: "after that epoch, mean cross-entropy", optional: true },
  { name: "validation_loss", kind: "number", description: "after that epoch", optional: true },
  { name: "validation_accuracy", kind: "number", description: "after that epoch", optional: true },
  { name: "train_loss", kind: "number", description: "mean over the steps of that epoch", optional: true },
  {
    name: "last_test_accuracy",
    kind: "number",
    description: "of a run: after its last epoch",
    optional: true,
  },
  { name: "epochs", kind: "number", description: "of a run: epochs that it ended", optional: true },
  { name: "steps", kind: "number", description: "of a run: its steps", optional: true },
  {
    name: "seconds",
    kind: "number",
    description: "of a run: time of its steps, without measurements",
    optional: true,
  },
  {
    name: "ending",
    kind: "text",
    description: `of a run: why it ended: epochs (all done), patience (${patience} in a row without a lower validation loss), diverged`,
    optional: true,
  },
];

/** What is known after an epoch; plain data, kept beside the checkpoint. */
interface EpochRecord {
  readonly epoch: number;
  /** Steps done. */
  readonly step: number;
  readonly testAccuracy: number;
  readonly testLoss?: number;
  readonly trainLoss?: number;
  readonly validationLoss?: number;
  readonly validationAccuracy?: number;
  /** Time of the steps of this epoch that this process made, and their number. */
  readonly seconds: number;
  readonly timedSteps: number;
}

const rowSchema = z.record(z.string(), z.optional(z.union([z.number(), z.string()])));
const measured = z.optional(z.number());
const epochSchema = z.object({
  epoch: z.int().check(z.minimum(0)),
  step: z.int().check(z.minimum(0)),
  testAccuracy: z.number(),
  testLoss: measured,
  validationLoss: measured,
  validationAccuracy: measured,
  trainLoss: measured,
  seconds: z.number().check(z.minimum(0)),
  timedSteps: z.int().check(z.minimum(0)),
});

/**
 * Trains a network, with checkpoints in the store.
 *
 * @returns a row of the run and one for each of its epochs; undefined when stopped. A run that diverges counts with what it
 * reached before
 */
export async function measureRun(
  environment: Environment,
  run: NetworkRun,
  limits: RunLimits,
  store: RunStore,
): Promise<readonly Row[] | undefined> {
  const kept = await readSealed(store, unitFiles.rows, z.array(rowSchema));
  if (kept) return kept;
  const { runtime, signal } = environment;
  const data = portionOf(await environment.dataset(run.dataset), limits.subset);
  const model = modelOfGraph(buildNetwork(run.network, data, run.seed));
  const batch = batchOf(run.dataset);
  let records: readonly EpochRecord[] = [];
  let [learningRate, done] = [0, 0];
  let ending: "epochs" | "patience" | "diverged" = "epochs";
  let stopwatch = { seconds: 0, timedSteps: 0 };
  const add = async (record: Pick<EpochRecord, "epoch" | "step">) => {
    const measured = await evaluateModel({
      ...{ model, runtime, loss: crossEntropy(), output: floatOutput(model) },
      // They are trained in place.
      parameters: Object.fromEntries(model.initializers),
      examples: data.test,
    });
    const { loss, accuracy: testAccuracy = 0 } = measured;
    const testLoss = Number.isFinite(loss) ? loss : undefined;
    records = [...records, { ...record, testAccuracy, testLoss, ...stopwatch }];
    stopwatch = { seconds: 0, timedSteps: 0 };
    await writeSealed(store, unitFiles.epochs, records);
  };
  try {
    const events = train({
      ...{ model, examples: data.train, runtime, store, signal, batch, seed: run.seed },
      ...{ inPlace: true, resume: true, allowChanges: true, checkpointSeconds: 30 },
      epochs: limits.epochs,
      steps: limits.steps === 0 ? undefined : limits.steps,
      validation: validationSize(data.train),
      ...settingsOf(run),
    });
    let began = performance.now();
    for await (const event of events) {
      const seconds = (performance.now() - began) / 1000;
      if (event.kind === "start") {
        [learningRate, done] = [Number(event.learningRate), event.step];
        const before = (await readSealed(store, unitFiles.epochs, z.array(epochSchema))) ?? [];
        records = before.filter(({ step }) => step <= event.step);
        if (records.length === 0) await add({ epoch: 0, step: 0 });
      }
      if (event.kind === "step") {
        done = event.step;
        stopwatch = { seconds: stopwatch.seconds + seconds, timedSteps: stopwatch.timedSteps + 1 };
        environment.advance(event.step / event.steps);
      }
      if (event.kind === "epoch") {
        const { epoch, step, trainLoss, validationLoss, validationAccuracy } = event;
        const known = { epoch, step, trainLoss, validationLoss, validationAccuracy };
        await add(known);
        if ((validationLoss ?? 0) >= lossLimit) {
          ending = "diverged";
          break;
        }
      }
      if (event.kind === "interrupted") return undefined;
      if (event.kind === "done") ending = hasWaited(records, run.path) ? "patience" : "epochs";
      began = performance.now();
    }
  } catch (error) {
    if (!(error instanceof DivergenceError)) throw error;
    ending = "diverged";
  }
  const rows = rowsOf({ ...rowOf(run), learning_rate: learningRate, seed: run.seed }, records, done, ending);
  await writeSealed(store, unitFiles.rows, rows);
  // The rows say all; parameters of hundreds of runs would fill a disk.
  for (const name of [...checkpointFiles, "model.onnx"]) await store.truncate(name, 0);
  return rows;
}

/** The columns that tell runs apart, seed and learning rate left out. */
export function rowOf({ path, network, dataset, method }: Omit<NetworkRun, "seed">): Row {
  return { path, network, dataset, gradient: method.gradient, k: method.k };
}

/** What a path trains with. */
export function settingsOf({ path, network, dataset, method }: Omit<NetworkRun, "seed">): TrainSettings {
  const { gradient, k } = method;
  const estimator: TrainSettings =
    gradient === "exact"
      ? { gradient }
      : { gradient: "forward", aggregate: gradient, tangents: k, sampler: "gaussian" };
  // The paper's estimates start from nothing.
  const guess = "none";
  const sites = (perturb: TrainSettings["perturb"]): TrainSettings =>
    gradient === "exact" ? {} : { perturb };
  if (path === "ours") return { ...estimator, ...sites({ name: "activations", guess }) };
  const learningRate = networkLearningRate(network, dataset, method);
  const blocks = sites({ name: "blocks", shareTangents: true, guess });
  return { ...estimator, ...blocks, learningRate, schedule: "constant", patience };
}

/** A part of a dataset, the same for all runs. */
export function portionOf(dataset: Dataset, subset: number): Dataset {
  if (subset === 0) return dataset;
  const part = (examples: Examples, stream: number) =>
    examples.count <= subset
      ? examples
      : takeExamples(examples, permutation(keyFromSeed(stream), examples.count).slice(0, subset).sort());
  return { ...dataset, train: part(dataset.train, 0), test: part(dataset.test, 1) };
}

/** 10,000 examples as the authors set aside, or a fifth of fewer. */
function validationSize({ count }: Examples): number {
  return Math.min(10_000, Math.floor(count / 5));
}

/** True where early stopping ended the run. */
function hasWaited(records: readonly EpochRecord[], path: TrainingPath): boolean {
  const last = records.at(-1);
  return path === "paper" && last !== undefined && last.epoch - bestOf(records).epoch >= patience;
}

/** The epoch with the lowest validation loss; before the first, the network as it was made. */
function bestOf(records: readonly EpochRecord[]): EpochRecord {
  const loss = ({ validationLoss = Number.POSITIVE_INFINITY }: EpochRecord) => validationLoss;
  return records.reduce((best, record) => (loss(record) < loss(best) ? record : best));
}

function rowsOf(common: Row, records: readonly EpochRecord[], steps: number, ending: string): readonly Row[] {
  const at = (record: EpochRecord): Row => ({
    ...common,
    epoch: record.epoch,
    test_accuracy: record.testAccuracy,
    test_loss: record.testLoss,
    validation_loss: record.validationLoss,
    validation_accuracy: record.validationAccuracy,
    train_loss: record.trainLoss,
  });
  const last = records.at(-1) as EpochRecord;
  const [seconds, timed] = [total(records, "seconds"), total(records, "timedSteps")];
  const run = {
    kind: "run",
    ...at(bestOf(records)),
    last_test_accuracy: last.testAccuracy,
    epochs: last.epoch,
    steps,
    // Of a resumed run, the steps of the epoch in which it was stopped were timed in part.
    seconds: timed === 0 ? 0 : (seconds / timed) * steps,
    ending,
  };
  return [run, ...records.map((record) => ({ kind: "curve", ...at(record) }))];
}

function total(records: readonly EpochRecord[], name: "seconds" | "timedSteps"): number {
  return records.reduce((sum, record) => sum + record[name], 0);
}
