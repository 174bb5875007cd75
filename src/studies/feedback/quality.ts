/** The quality of estimates along a training with feedback, and what its matrix has learned by then. */
import type { Dataset } from "../../data/dataset.ts";
import { DivergenceError } from "../../errors/errors.ts";
import type { Estimator, EstimatorDefinition } from "../../estimate/estimator.ts";
import { ExactComparison, type Quality, redraw } from "../../estimate/quality.ts";
import type { EstimatorState } from "../../estimate/state.ts";
import type { Differentiable, Objective } from "../../objective/objective.ts";
import { streamKey } from "../../random/streams.ts";
import { fold } from "../../random/threefry.ts";
import type { Tensors } from "../../runtime/runtime.ts";
import { createBatchReader } from "../../train/batches/batch-reader.ts";
import type { BatchReader } from "../../train/batches/batch-reading.ts";
import { createEstimator } from "../../train/settings/estimator.ts";
import { train } from "../../train/train.ts";
import type { Environment, Row } from "../study.ts";
import {
  baseCell,
  buildNetwork,
  type Cell,
  cellKey,
  estimatorOf,
  type FeedbackSettings,
  forwardMethods,
  type Method,
  studied,
} from "./cells.ts";
import {
  learnedMatrix,
  matrixCosine,
  meanJacobians,
  reduced,
  type SiteMatrix,
  throughWeights,
  withMatrices,
} from "./jacobian.ts";

/** Batches over which the mean Jacobian is taken. */
const jacobianBatches = 4;
/** Classes whose pictures are drawn. */
const pictures = 5;
/** Of a guess alone, which does not depend on the tangents. */
const drawsOfGuess = 2;

/** A step that is about to be taken. */
interface Moment {
  /** Steps before it. */
  readonly step: number;
  /** The batch and the parameters. */
  readonly feeds: Tensors;
  readonly state: EstimatorState;
}

/** What looks at a training. */
interface Observer {
  look(moment: Moment): Promise<void>;
  release(): Promise<void>;
}

/** An estimator that lets somebody look at each step before it is taken; the steps are the same. */
function watched(
  definition: EstimatorDefinition,
  open: (objective: Differentiable) => Promise<Observer>,
): EstimatorDefinition {
  return {
    ...definition,
    async plan(objective, options) {
      const plan = await definition.plan(objective, options);
      return {
        dimension: plan.dimension,
        async open(): Promise<Estimator> {
          const estimator = await plan.open();
          const observer = await open(objective);
          let step = 0;
          return {
            ...estimator,
            async estimate(feeds, key, state = estimator.init?.() ?? {}) {
              await observer.look({ step: step++, feeds, state });
              return estimator.estimate(feeds, key, state);
            },
            async release() {
              await Promise.all([estimator.release(), observer.release()]);
            },
          };
        },
      };
    },
  };
}

/**
 * Trains with feedback that tangents correct in full, at the default rate. At some steps, the estimate of every method is
 * drawn again and again for the parameters, the batch and the matrix of that step, and the matrix is compared with the
 * mean Jacobian.
 */
export async function measureCellQuality(
  environment: Environment,
  cell: Cell,
  settings: FeedbackSettings,
): Promise<readonly Row[] | undefined> {
  const dataset = await environment.dataset(settings.dataset);
  const rows: Row[] = [];
  const last = Math.max(...settings.points);
  const perturb = studied(1);
  const bench = { dataset, cell, settings };
  const run = train({
    gradient: watched(perturb, (objective) => openObserver(objective as Objective, bench, rows)),
    ...{ perturb, tangents: cell.k, batch: settings.batch, seed: 0, runtime: environment.runtime },
    model: buildNetwork(cell, dataset, 0),
    examples: dataset.train,
    // The last point is looked at before its own step.
    steps: last + 1,
    signal: environment.signal,
  });
  try {
    for await (const event of run) {
      if (event.kind === "step") environment.advance(event.step / event.steps);
      if (event.kind === "interrupted") return undefined;
    }
  } catch (error) {
    // What was seen before counts.
    if (!(error instanceof DivergenceError)) throw error;
  }
  return rows;
}

interface Bench {
  readonly dataset: Dataset;
  readonly cell: Cell;
  readonly settings: FeedbackSettings;
}

async function openObserver(objective: Objective, bench: Bench, rows: Row[]): Promise<Observer> {
  const { settings, cell, dataset } = bench;
  const comparison = new ExactComparison(objective);
  const candidates: { readonly method: Method; readonly estimator: Estimator }[] = [];
  for (const method of forwardMethods(settings))
    candidates.push({ method, estimator: await createEstimator(objective, estimatorOf(cell, method)) });
  const alone = await createEstimator(objective, estimatorOf(cell, { guess: "feedback", gamma: 0 }));
  const reader = await readerOf(objective, dataset);
  const jacobians = await meanJacobians(objective, reader);
  const measure = async (estimator: Estimator, { feeds, step, state }: Moment, draws: number) => {
    const key = fold(streamKey(0, "quality"), step);
    const estimates = await redraw(estimator, feeds, key, draws, estimator.init && state);
    return comparison.compare(feeds, key, estimates, estimator.gain);
  };
  return {
    async look(moment) {
      const { step, state } = moment;
      if (!settings.points.includes(step)) return;
      for (const { method, estimator } of candidates) {
        const isGuess = method.guess === "feedback" && method.gamma === 0;
        const quality = await measure(estimator, moment, isGuess ? drawsOfGuess : settings.draws);
        rows.push({ part: "quality", ...cell, ...method, step, ...columnsOf(quality) });
      }
      const matrices = await jacobians.measure(step, jacobianBatches);
      const ideal = { ...moment, state: withMatrices(state, matrices) };
      const foreseen = await measure(alone, ideal, drawsOfGuess);
      rows.push({ part: "quality", ...cell, guess: "mean Jacobian", step, ...columnsOf(foreseen) });
      rows.push(...matrixRows(cell, moment, matrices));
      if (step === Math.max(...settings.points) && cellKey(cell) === cellKey(baseCell(settings)))
        rows.push(...pictureRows(bench, moment, matrices));
    },
    async release() {
      const estimators = [...candidates.map(({ estimator }) => estimator), alone];
      await Promise.all([...estimators, comparison, jacobians].map((one) => one.release()));
    },
  };
}

/** Batches of their own, which the training has not read in this order. */
function readerOf(objective: Objective, { train: examples }: Dataset): Promise<BatchReader> {
  const key = streamKey(0, "quality");
  const keys = { splitKey: streamKey(0, "split"), orderKey: key, augmentationKey: key, dropoutKey: key };
  return createBatchReader(objective, { examples, ...keys });
}

function columnsOf(quality: Quality): Row {
  return {
    cosine: quality.cosine,
    cosine_error: quality.cosineError,
    bias: quality.biasSquared,
    bias_error: quality.biasSquaredError,
    variance: quality.variance,
    variance_error: quality.varianceError,
  };
}

function matrixRows(cell: Cell, { step, state }: Moment, matrices: readonly SiteMatrix[]): readonly Row[] {
  return matrices.flatMap(({ site, data }, index) => {
    const learned = learnedMatrix(state, site);
    if (!learned) return [];
    return [{ part: "jacobian", ...cell, step, site: index + 1, cosine: matrixCosine(learned, data) }];
  });
}

/** The first site's matrix through the first layer's weights, as it was learned and as the mean Jacobian has it. */
function pictureRows(
  { dataset, cell }: Bench,
  { step, state, feeds }: Moment,
  matrices: readonly SiteMatrix[],
): readonly Row[] {
  const [first] = matrices;
  const learned = first && learnedMatrix(state, first.site);
  const weights = feeds["layer1.weight"]?.data;
  if (!learned || !weights) return [];
  const [height = 1, width = 1] = dataset.train.shape.slice(-2);
  const deviations = pixelDeviations(dataset);
  const units = learned.length / dataset.classes;
  const pictureOf = (matrix: Float32Array, row: number) =>
    reduced({
      ...{ height, width },
      data: throughWeights(
        matrix.subarray(row * units, (row + 1) * units),
        weights as Float32Array,
        deviations,
      ),
    });
  return Array.from({ length: Math.min(pictures, dataset.classes) }, (_, row) => {
    const [own, exact] = [pictureOf(learned, row), pictureOf(first.data, row)];
    return Array.from(own.data, (value, pixel) => ({
      ...{ part: "picture", ...cell, step, site: 1, logit: row },
      ...{ y: Math.floor(pixel / own.width), x: pixel % own.width },
      learned: value,
      exact: exact.data[pixel] as number,
    }));
  }).flat();
}

/** Standard deviation of each pixel over the first training examples, [pixels]. */
function pixelDeviations({ train: { inputs, shape, count } }: Dataset): Float32Array {
  const pixels = shape.reduce((product, size) => product * size, 1);
  const examples = Math.min(count, 500);
  return Float32Array.from({ length: pixels }, (_, pixel) => {
    let [sum, squares] = [0, 0];
    for (let example = 0; example < examples; example++) {
      const value = inputs[example * pixels + pixel] as number;
      [sum, squares] = [sum + value, squares + value ** 2];
    }
    return Math.sqrt(Math.max(0, squares / examples - (sum / examples) ** 2));
  });
}
