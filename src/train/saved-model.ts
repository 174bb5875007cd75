import type { Examples } from "../data/dataset.ts";
import type { Objective } from "../objective/objective.ts";
import { countTargets } from "../objective/targets.ts";
import { encodeModel } from "../onnx/encode.ts";
import type { Model } from "../onnx/read-model.ts";
import type { Tensor } from "../onnx/tensor.ts";
import { type Evaluation, measureModel } from "./evaluation/measure-model.ts";
import type { RunOptions } from "./settings/run-settings.ts";

/** The model that a run saves: what is measured is what is saved. */
export interface SavedModel {
  /** The ONNX file with the current values. */
  bytes(): Uint8Array<ArrayBuffer>;
  /** On all examples or those of the indices; undefined where nothing counts. */
  evaluate(examples: Examples, indices?: Uint32Array): Promise<Evaluation | undefined>;
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
  return {
    bytes: () => encodeModel(model, values()),
    async evaluate(examples, indices) {
      if (indices && countTargets(examples, indices) === 0) return undefined;
      const parameters = Object.fromEntries(values());
      const own = { model, parameters, examples, input, fill, dimensions, indices, loss, output, runtime };
      return measureModel({ ...own, isChecked: true });
    },
  };
}
