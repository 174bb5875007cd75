/** Training runs of the study of feedback. */
import { crossEntropy } from "../../losses/cross-entropy.ts";
import { compileObjective } from "../../objective/compile-objective.ts";
import { planEstimator, resolveEstimator } from "../../train/settings/estimator.ts";
import type { Environment, Row } from "../study.ts";
import { trainToEnd } from "../training.ts";
import {
  buildNetwork,
  type Cell,
  estimatorOf,
  type FeedbackSettings,
  lastLayer,
  type Method,
} from "./cells.ts";

/** One training run. */
export interface TrainedCell {
  readonly cell: Cell;
  readonly method: Method;
  /** Of an estimate whose expectation is ∇f. */
  readonly rate: number;
  readonly seed: number;
}

/** Trains and measures on the test examples; a run that diverged has no accuracy. */
export async function measureAccuracy(
  environment: Environment,
  { cell, method, rate, seed }: TrainedCell,
  settings: FeedbackSettings,
): Promise<readonly Row[] | undefined> {
  const { dataset: name, batch, steps } = settings;
  const { runtime } = environment;
  const dataset = await environment.dataset(name);
  const model = buildNetwork(cell, dataset, seed);
  const trainable =
    method.guess === "last layer" ? (parameter: string) => parameter.startsWith(lastLayer(cell)) : undefined;
  const chosen = estimatorOf(cell, method);
  const row: Row = { part: "accuracy", ...cell, ...method, rate, seed };
  // A projection without a guess is shorter than ∇f by its gain.
  let gain = 1;
  if (method.guess === "none") {
    const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch });
    const resolved = resolveEstimator(chosen);
    const { dimension } = await planEstimator(objective, resolved);
    gain = resolved.aggregate.expectedGain(dimension, cell.k);
  }
  const reached = await trainToEnd(environment, {
    ...chosen,
    ...{ model, trainable, examples: dataset.train, test: dataset.test },
    ...{ seed, batch, steps, learningRate: rate / gain },
  });
  if (!reached) return undefined;
  return [{ ...row, validation_accuracy: reached.validationAccuracy, accuracy: reached.testAccuracy }];
}
