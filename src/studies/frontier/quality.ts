import type { Estimator } from "../../estimate/estimator.ts";
import { exactGradient } from "../../estimate/exact.ts";
import { copyGradients, type Gradients, qualityOf } from "../../estimate/quality.ts";
import { copyState, type EstimatorState } from "../../estimate/state.ts";
import type { Objective } from "../../objective/objective.ts";
import { arraysOf, copyTensors, setParameters } from "../../objective/parameters.ts";
import type { Tensor } from "../../onnx/tensor.ts";
import { cosine as cosineSchedule } from "../../optim/schedules.ts";
import { sgd } from "../../optim/sgd.ts";
import { frontierStreams } from "../../random/streams.ts";
import { fold, type Key, keyFromSeed } from "../../random/threefry.ts";
import { decodeSafetensors, encodeSafetensors } from "../../storage/safetensors.ts";
import { createBatchReader } from "../../train/batches/batch-reader.ts";
import type { BatchReader } from "../../train/batches/batch-reading.ts";
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

/** What learns from steps has seen so many before each point, of those of the training itself. */
const taughtSteps = 50;

/** Estimates of a draw: two tell bias² from variance. */
const estimatesOfDraw = 2;

type Parameters = Readonly<Record<string, Tensor>>;

/** What an estimator is measured with. */
interface Bench {
  readonly objective: Objective;
  readonly exact: Estimator;
  readonly reader: BatchReader;
  /** The parameters before the first step. */
  readonly first: Parameters;
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
  const bench = await openBench(environment, cell, settings);
  const { objective, exact, reader } = bench;
  const candidates: Candidate[] = [];
  try {
    const path = await exactPath(environment, cell.model, bench, settings);
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
    const memories = await taughtMemories(environment, bench, candidates, settings);
    if (!memories) return undefined;
    const rows: Row[] = [];
    const draws = drawsOf(cell, settings.draws);
    for (const point of settings.points) {
      setParameters(arraysOf(objective.parameters), path[point]);
      for (let draw = 0; draw < draws; draw++) {
        if (environment.signal.aborted) return undefined;
        // Batches that the training has not read in this order.
        await reader.read(settings.exactSteps + draw);
        const key = fold(fold(cellStream(cell), points.indexOf(point)), draw);
        const isFirst = rows.length === 0;
        rows.push(
          ...(await compare(bench, candidates, { key, isFirst, point, draw, memory: memories[point] })),
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
  const reader = await createBatchReader(objective, {
    examples: dataset.train,
    splitKey: fold(root, frontierStreams.split),
    orderKey: fold(root, frontierStreams.order),
    augmentationKey: fold(root, frontierStreams.augmentation),
    dropoutKey: fold(root, frontierStreams.dropout),
  });
  const first = copyTensors(objective.parameters);
  return { objective, exact: await exactGradient(objective), reader, first };
}

interface Draw {
  readonly key: Key;
  /** The first runs of a session are slower, so they are not timed. */
  readonly isFirst: boolean;
  readonly point: Point;
  readonly draw: number;
  /** What each candidate remembers there, in their order. */
  readonly memory: readonly EstimatorState[];
}

/** One draw: the exact gradient and each candidate's estimates of it, one after the other. */
async function compare(
  { exact, reader }: Bench,
  candidates: readonly Candidate[],
  { key, isFirst, point, draw, memory }: Draw,
): Promise<readonly Row[]> {
  const timed = async (estimator: Estimator, own: Key, state: EstimatorState = {}) => {
    if (isFirst) await estimator.estimate(reader.feeds, own, copyState(state));
    const remembered = copyState(state);
    const start = performance.now();
    const { gradients } = await estimator.estimate(reader.feeds, own, remembered);
    return { gradients, milliseconds: performance.now() - start };
  };
  const target = await timed(exact, key);
  const rows: Row[] = [];
  for (const [index, { estimator, constant }] of candidates.entries()) {
    const estimates: Gradients[] = [];
    const times: number[] = [];
    for (let number = 0; number < estimatesOfDraw; number++) {
      const { gradients, milliseconds } = await timed(estimator, fold(key, number), memory[index]);
      estimates.push(copyGradients(gradients));
      times.push(milliseconds);
    }
    const quality = qualityOf(estimates, target.gradients, estimator.gain);
    rows.push({
      ...constant,
      ...{ point, draw, cosine: quality.cosine, norm_ratio: quality.normRatio },
      ...{ bias: quality.biasSquared, variance: quality.variance },
      milliseconds: Math.min(...times),
      exact_milliseconds: target.milliseconds,
    });
  }
  return rows;
}

/**
 * What each candidate remembers at each point, in their order: those that learn from steps follow the same training by exact
 * gradients, with the tangents of those steps.
 *
 * @returns undefined where it was stopped
 */
async function taughtMemories(
  environment: Environment,
  bench: Bench,
  candidates: readonly Candidate[],
  { exactSteps }: FrontierSettings,
): Promise<Readonly<Record<Point, readonly EstimatorState[]>> | undefined> {
  const states = candidates.map(({ estimator }) => estimator.init?.() ?? {});
  const none = { start: states, middle: states, end: states };
  if (states.every((state) => Object.keys(state).length === 0)) return none;
  const known: Record<Point, readonly EstimatorState[]> = { ...none };
  setParameters(arraysOf(bench.objective.parameters), bench.first);
  const key = fold(root, frontierStreams.taught);
  const isTrained = await trainExactly(environment, bench, exactSteps, {
    async step(step) {
      const isNear = points.some((point) => {
        const left = stepOf(point, exactSteps) - step;
        return left > 0 && left <= taughtSteps;
      });
      if (!isNear) return;
      for (const [index, { estimator }] of candidates.entries())
        if (estimator.init) await estimator.estimate(bench.reader.feeds, fold(key, step), states[index]);
    },
    reach(point) {
      known[point] = states.map(copyState);
    },
  });
  return isTrained ? known : undefined;
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
  const path: Record<Point, Parameters> = { start: bench.first, middle: bench.first, end: bench.first };
  const isTrained = await trainExactly(environment, bench, exactSteps, {
    reach(point) {
      path[point] = copyTensors(bench.objective.parameters);
    },
  });
  if (!isTrained) return undefined;
  for (const point of points) await store.write(file(point), encodeSafetensors(path[point], { point }));
  return path;
}

/** So many steps of the training come before a point. */
function stepOf(point: Point, steps: number): number {
  return { start: Math.ceil(steps * startShare), middle: Math.floor(steps / 2), end: steps }[point];
}

/** What follows a training. */
interface Follower {
  /** Before each step, when its batch was read. */
  step?(step: number): Promise<void>;
  /** At each point. */
  reach(point: Point): void;
}

/** @returns whether it came to the end */
async function trainExactly(
  environment: Environment,
  { objective, exact, reader }: Bench,
  steps: number,
  follower: Follower,
): Promise<boolean> {
  const optimizer = sgd();
  const schedule = cosineSchedule();
  const arrays = arraysOf(objective.parameters);
  const state = optimizer.init(arrays);
  const rate = runLearningRate(resolveEstimator({ gradient: "exact" }), exact, {
    batch: objective.batch,
    steps,
  })();
  for (let step = 0; step <= steps; step++) {
    if (environment.signal.aborted) return false;
    for (const point of points) if (step === stepOf(point, steps)) follower.reach(point);
    if (step === steps) break;
    await reader.read(step);
    await follower.step?.(step);
    const { gradients } = await exact.estimate(reader.feeds, root);
    optimizer.update(arrays, gradients, state, rate * schedule.factor(step, steps));
  }
  return true;
}
