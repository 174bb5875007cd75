import { runLearningRate } from "../../train/learning-rate.ts";
import { planEstimator, resolveEstimator } from "../../train/settings/estimator.ts";
import type { Environment, Row } from "../study.ts";
import { trainToEnd } from "../training.ts";
import {
  buildModel,
  type Cell,
  type CellAggregator,
  type FrontierSettings,
  objectiveOf,
  settingsOf,
} from "./cells.ts";
import { estimatorCost } from "./estimator-cost.ts";

/** The default rate of feedback grows as it learns, to about that of a guess which leaves so much of ‖∇f‖² unforeseen. */
const taughtShare = 0.05;

/** One training run. */
export interface TrainedCell {
  readonly cell: Cell;
  readonly aggregator: CellAggregator | undefined;
  /** Of the default learning rate. */
  readonly factor: number;
  readonly seed: number;
}

/** Trains and measures on the test examples; a run that diverged has no accuracy. */
export async function measureAccuracy(
  environment: Environment,
  { cell, aggregator, factor, seed }: TrainedCell,
  settings: FrontierSettings,
): Promise<readonly Row[] | undefined> {
  const { dataset: name, batch, steps } = settings;
  const dataset = await environment.dataset(name);
  const objective = await objectiveOf(cell.model, dataset, batch, environment.runtime);
  const chosen = settingsOf(cell, aggregator);
  const resolved = resolveEstimator(chosen);
  const plan = await planEstimator(objective, resolved);
  const { dimension } = plan;
  // Momentum foresees little: its default rate hardly grows.
  const unforeseen = cell.estimator === "feedback" ? taughtShare : undefined;
  const learningRate = factor * runLearningRate(resolved, plan, { batch, steps })(unforeseen);
  const cost = await estimatorCost(objective, chosen);
  const started = performance.now();
  const model = buildModel(cell.model, dataset, seed);
  const run = { ...chosen, model, examples: dataset.train, test: dataset.test };
  const result = await trainToEnd(environment, { ...run, learningRate, seed, batch, steps });
  if (!result) return undefined;
  // The first steps, which are slower, are not timed; a shorter run has no others.
  const perStep = result.secondsPerStep ?? (performance.now() - started) / 1000 / Math.max(steps, 1);
  return [
    {
      part: "accuracy",
      ...cell,
      aggregator,
      factor,
      seed,
      learning_rate: learningRate,
      validation_accuracy: result.validationAccuracy,
      accuracy: result.testAccuracy,
      training_seconds: result.testAccuracy === undefined ? undefined : steps * perStep,
      dimension,
      ...cost,
    },
  ];
}
