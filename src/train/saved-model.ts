/** The model as a run saves it, which is what is measured. */
import type { Examples } from "../data/dataset.ts";
import type { Objective } from "../objective/objective.ts";
import { countTargets } from "../objective/targets.ts";
import { encodeModel } from "../onnx/encode.ts";
import type { Model } from "../onnx/read-model.ts";
import type { Tensor } from "../onnx/tensor.ts";
import { type Evaluation, measureModel, type OpenTally } from "./evaluation/measure-model.ts";
import type { RunOptions } from "./settings/run-settings.ts";

/** The model that a run saves: what is measured is what is saved. */
export interface SavedModel {
  /** The ONNX file with the current values. */
  bytes(): Uint8Array<ArrayBuffer>;
  /** On all examples or those of the indices; undefined where nothing counts. */
  evaluate(examples: Examples, indices?: Uint32Array): Promise<Evaluation | undefined>;
  /** As `evaluate`, of examples that are set aside, with metrics by name where the run is kept or stops on one. */
  validate(indices: Uint32Array): Promise<Validation | undefined>;
}

/** What the validation examples say. */
export interface Validation {
  readonly evaluation: Evaluation;
  readonly metrics: Readonly<Record<string, number>> | undefined;
  /** What early stopping sees: the smaller the better. */
  readonly watched: number;
}

/** What lines and events say of a validation. */
export function scoresOf(found: Validation | undefined) {
  const { loss, accuracy } = found?.evaluation ?? {};
  return { validationLoss: loss, validationAccuracy: accuracy, validation: found?.metrics };
}

/** The examples that validation indices count. */
export function validationOf({
  validation,
  examples,
}: Pick<RunOptions, "validation" | "examples">): Examples {
  return typeof validation === "object" ? validation : examples;
}

/** @param stored parameters and running statistics, whose numbers change as the run goes on */
export function savedModel(
  options: RunOptions,
  objective: Objective,
  stored: Readonly<Record<string, Tensor>>,
): SavedModel {
  const { merge, input, fill, dimensions, output, loss, runtime } = options;
  const model: Model = merge?.into ?? objective.model;
  const values = () => merge?.values(stored) ?? new Map(Object.entries(stored));
  const evaluate = async (examples: Examples, indices?: Uint32Array, openTally?: OpenTally) => {
    if (indices && countTargets(examples, indices) === 0) return undefined;
    const parameters = Object.fromEntries(values());
    const own = { model, parameters, examples, input, fill, dimensions, indices, loss, output, runtime };
    return measureModel({ ...own, isChecked: true }, openTally);
  };
  return {
    bytes: () => encodeModel(model, values()),
    evaluate: (examples, indices) => evaluate(examples, indices),
    async validate(indices) {
      const { patience, store } = options;
      const examples = validationOf(options);
      const on = patience?.on ?? "loss";
      const scores = store || on !== "loss" ? await import("./evaluation/score-tally.ts") : undefined;
      const whole = await evaluate(examples, indices, scores?.openTally);
      if (!whole) return undefined;
      const { classification, regression, ...evaluation } = whole;
      const watched = scores ? scores.watchedOf(whole, on) : whole.loss;
      return { evaluation, metrics: scores?.metricsOf(whole), watched };
    },
  };
}
