import type { Estimator } from "../../estimate/estimator.ts";
import { cosine, exactGradient, norm } from "../../estimate/exact.ts";
import type { Objective } from "../../objective/objective.ts";
import { arraysOf, copyTensors, setParameters } from "../../objective/parameters.ts";
import type { Tensor } from "../../onnx/tensor.ts";
import { cosine as cosineSchedule } from "../../optim/schedules.ts";
import { sgd } from "../../optim/sgd.ts";
import { frontierStreams } from "../../random/streams.ts";
import { fold, type Key, keyFromSeed } from "../../random/threefry.ts";
import { decodeSafetensors, encodeSafetensors } from "../../storage/safetensors.ts";
import { type BatchReader, createBatchReader } from "../../train/batch-reader.ts";
import { runLearningRate } from "../../train/learning-rate.ts";
import { createEstimator, resolveEstimator } from "../../train/settings/estimator.ts";
import type { Environment, Row } from "../study.ts";
import {
  aggregatorsOf,
  type Cell,
  type CellAggregator,
  cellSamplers,
  drawsOf,
  estimatorNames,
  type FrontierSettings,
  objectiveOf,
  type Point,
  points,
  settingsOf,
} from "./cells.ts";
import { estimatorCost } from "./estimator-cost.ts";

const root = keyFromSeed(0);

/**
 * The start is so far into the training: parameters that begin at zero, such as the vit's head, let no gradient through to
 * the layers before, and an estimate is exact there for no merit of its own.
 */
const startShare = 1 / 20;

type Parameters = Readonly<Record<string, Tensor>>;

/** What an estimator is measured with. */
interface Bench {
  readonly objective: Objective;
  readonly exact: Estimator;
  readonly reader: BatchReader;
}

/** An estimator, and how it combines derivatives. */
interface Candidate {
  readonly aggregator: CellAggregator | undefined;
  readonly estimator: Estimator;
  /** Columns of its rows that are the same in all of them. */
  readonly constant: Row;
}

/**
 * Compares the estimates of a cell with the exact gradients of the same batches, in turns: a row for each point of the
 * training, draw of batch and tangents, and aggregator. Draws are the same batches for all cells, and the same tangents for
 * all aggregators of a cell.
 */
export async function measureCellQuality(
  environment: Environment,
  cell: Cell,
  settings: FrontierSettings,
): Promise<readonly Row[] | undefined> {
  const { objective, exact, reader } = await openBench(environment, cell, settings);
  const candidates: Candidate[] = [];
  try {
    const path = await exactPath(environment, cell.model, { objective, exact, reader }, settings);
    if (!path) return undefined;
    for (const aggregator of aggregatorsOf(cell, settings.aggregators)) {
      const chosen = settingsOf(cell, aggregator);
      const cost = await estimatorCost(objective, chosen);
      const estimator = await createEstimator(objective, chosen);
      candidates.push({
        aggregator,
        estimator,
        constant: { part: "quality", ...cell, aggregator, ...cost, dimension: estimator.dimension },
      });
    }
    const rows: Row[] = [];
    const draws = drawsOf(cell, settings.draws);
    for (const point of settings.points) {
      setParameters(arraysOf(objective.parameters), path[point]);
      for (let draw = 0; draw < draws; draw++) {
        if (environment.signal.aborted) return undefined;
        // Batches that the training has not read in this order.
        reader.read(settings.exactSteps + draw);
        const key = fold(fold(cellStream(cell), points.indexOf(point)), draw);
        const isFirst = rows.length === 0;
        rows.push(
          ...(await compare({ objective, exact, reader }, candidates, { key, isFirst, point, draw })),
        );
        environment.advance((settings.points.indexOf(point) + draw / draws) / settings.points.length);
      }
    }
    return rows;
  } finally {
    await exact.release();
    for (const { estimator } of candidates) await estimator.release();
  }
}

/** Tangents of their own for every cell: those with other k would share their first, and stray together. */
function cellStream({ estimator, sampler, rank = 0, k }: Cell): Key {
  const numberAmong = (names: readonly string[], name = "") => names.indexOf(name) + 1;
  const numbers = [numberAmong(estimatorNames, estimator), numberAmong(cellSamplers, sampler), rank, k];
  return numbers.reduce((key, number) => fold(key, number), fold(root, frontierStreams.tangents));
}

async function openBench(
  environment: Environment,
  { model }: Cell,
  { dataset: name, batch }: FrontierSettings,
): Promise<Bench> {
  const dataset = await environment.dataset(name);
  const objective = await objectiveOf(model, dataset, batch, environment.runtime);
  const reader = createBatchReader(objective, {
    examples: dataset.train,
    splitKey: fold(root, frontierStreams.split),
    orderKey: fold(root, frontierStreams.order),
    augmentationKey: fold(root, frontierStreams.augmentation),
    dropoutKey: fold(root, frontierStreams.dropout),
  });
  return { objective, exact: await exactGradient(objective), reader };
}

interface Draw {
  readonly key: Key;
  /** The first runs of a session are slower, so they are not timed. */
  readonly isFirst: boolean;
  readonly point: Point;
  readonly draw: number;
}

/** One draw: the exact gradient and each candidate's estimate of it, one after the other. */
async function compare(
  { exact, reader }: Bench,
  candidates: readonly Candidate[],
  { key, isFirst, point, draw }: Draw,
): Promise<readonly Row[]> {
  const timed = async (estimator: Estimator) => {
    if (isFirst) await estimator.estimate(reader.feeds, key);
    const start = performance.now();
    const { gradients } = await estimator.estimate(reader.feeds, key);
    return { gradients, milliseconds: performance.now() - start };
  };
  const target = await timed(exact);
  const length = norm(target.gradients);
  const rows: Row[] = [];
  for (const { estimator, constant } of candidates) {
    const { gradients, milliseconds } = await timed(estimator);
    rows.push({
      ...constant,
      point,
      draw,
      cosine: cosine(gradients, target.gradients),
      norm_ratio: length === 0 ? 0 : norm(gradients) / length,
      milliseconds,
      exact_milliseconds: target.milliseconds,
    });
  }
  return rows;
}

/**
 * Parameters at the points of a training by exact gradients at the default rate, kept in scratch room: the first unit of a
 * model trains, the others read.
 */
async function exactPath(
  environment: Environment,
  model: string,
  bench: Bench,
  { exactSteps }: FrontierSettings,
): Promise<Readonly<Record<Point, Parameters>> | undefined> {
  const store = environment.scratch(`model=${model}`);
  const file = (point: Point) => `${point}.safetensors`;
  const known = await Promise.all(points.map((point) => store.read(file(point))));
  const read = known.flatMap((bytes, index) =>
    bytes ? [decodeSafetensors(bytes, `${store.describe}/${file(points[index] ?? "start")}`).tensors] : [],
  );
  const [start, middle, end] = read;
  if (start && middle && end) return { start, middle, end };
  const path = await trainExactly(environment, bench, exactSteps);
  if (path)
    for (const point of points) await store.write(file(point), encodeSafetensors(path[point], { point }));
  return path;
}

async function trainExactly(
  environment: Environment,
  { objective, exact, reader }: Bench,
  steps: number,
): Promise<Readonly<Record<Point, Parameters>> | undefined> {
  const optimizer = sgd();
  const schedule = cosineSchedule();
  const arrays = arraysOf(objective.parameters);
  const state = optimizer.init(arrays);
  const rate = runLearningRate(resolveEstimator({ gradient: "exact" }), exact.dimension, {
    batch: objective.batch,
    steps,
  });
  let start = copyTensors(objective.parameters);
  let middle = start;
  for (let step = 0; step < steps; step++) {
    if (environment.signal.aborted) return undefined;
    if (step === Math.ceil(steps * startShare)) start = copyTensors(objective.parameters);
    if (step === Math.floor(steps / 2)) middle = copyTensors(objective.parameters);
    reader.read(step);
    const { gradients } = await exact.estimate(reader.feeds, root);
    optimizer.update(arrays, gradients, state, rate * schedule.factor(step, steps));
  }
  return { start, middle, end: copyTensors(objective.parameters) };
}
