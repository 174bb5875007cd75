/** A first part of a run that trains some of the parameters alone, by their exact gradient. */
import { type Words, words } from "../../errors/words.ts";
import type { Objective } from "../../objective/objective.ts";
import { elementCount } from "../../onnx/tensor.ts";
import type { runLearningRate } from "../learning-rate.ts";
import type { planEstimator } from "../settings/estimator.ts";
import type { RunOptions } from "../settings/run-settings.ts";
import type { TrainingState } from "../training-state.ts";
import type { Descent } from "./descent.ts";
import type { openDescent } from "./open.ts";

export interface FirstStage {
  /** How many steps it has. */
  readonly steps: number;
  /** Before schedules; undefined in later steps. */
  rateAt(step: number): number | undefined;
  /**
   * What the next step is done by, opened by the first that asks; undefined in later steps, before which it is released. Where
   * it ends, the optimizer starts anew.
   */
  at(training: TrainingState, open: typeof openDescent): Promise<Descent | undefined>;
  release(): Promise<void>;
  /** The run's own, and what is worth saying of this stage, in sentences. */
  readonly notes: readonly Words[];
}

type Settings = Parameters<typeof planEstimator> extends [unknown, ...infer Others] ? Others : never;

/** How any estimator of a run is planned, and the exact gradient as a choice. */
export interface Planning {
  readonly planEstimator: (objective: Objective, ...settings: Settings) => ReturnType<typeof planEstimator>;
  readonly runLearningRate: typeof runLearningRate;
  readonly exact: () => RunOptions["definition"];
}

/**
 * Plans it: what the head makes of values that stay as they are has an exact gradient by one local transpose, and begins to
 * learn before anything is learned through it.
 *
 * @param steps of the whole run
 */
export async function planFirstStage(
  objective: Objective,
  options: RunOptions,
  steps: number,
  by: Planning,
): Promise<FirstStage> {
  const { names = [], share = 0 } = options.headFirst ?? {};
  const alone = withoutOthers(objective, names);
  const settings = { ...options, gradient: "exact", definition: by.exact() } as const;
  const factored = options.optimizer.isPlain === true && options.clip === undefined;
  const estimator = await by.planEstimator(alone, settings, { factored });
  const own = Math.round(share * steps);
  const learningRate = by.runLearningRate(settings, estimator, { batch: objective.batch, steps: own })();
  const sizes = Object.entries(objective.parameters).map(([name, { shape }]) =>
    names.includes(name) ? 0 : elementCount(shape),
  );
  const rest = sizes.reduce((sum, size) => sum + size, 0);
  const note = words`In the first ${own} of ${steps} steps, the head alone is trained, by its exact gradient; then
    ${rest.toLocaleString("en")} further numbers join it.`;
  const arrays = Object.fromEntries(
    Object.entries(objective.parameters).map(([name, { data }]) => [name, data] as const),
  );
  let descent: Descent | undefined;
  const release = async () => {
    await descent?.release();
    descent = undefined;
  };
  return {
    ...{ steps: own, notes: [...(options.notes ?? []), note], release },
    rateAt: (step) => (step < own ? learningRate : undefined),
    async at(training, open) {
      const { step } = training.state;
      if (step === own) training.optimizer = options.optimizer.init(arrays);
      if (step >= own) await release();
      else descent ??= await open(alone, estimator, options.optimizer);
      return descent;
    },
  };
}

/** The objective of some of its parameters, which share their numbers, the others being constants. */
function withoutOthers(objective: Objective, names: readonly string[]): Objective {
  const { graph, parameters } = objective;
  const entries = Object.entries(parameters);
  const others = entries.filter(([name]) => !names.includes(name));
  const isOther = new Set(others.map(([name]) => name));
  return {
    ...objective,
    parameters: Object.fromEntries(entries.filter(([name]) => !isOther.has(name))),
    graph: {
      ...graph,
      inputs: graph.inputs.filter(({ name }) => !isOther.has(name)),
      parameters: graph.parameters.filter((name) => !isOther.has(name)),
      initializers: new Map([...graph.initializers, ...others]),
    },
  };
}
