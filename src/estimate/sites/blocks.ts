/** Block perturbation, as a choice. */
import type { EstimatorDefinition } from "../estimator.ts";
import { planSites } from "./activations.ts";
import type { ActivationsOptions } from "./kept.ts";

export interface BlocksOptions extends Pick<ActivationsOptions, "shareTangents"> {
  /** Finds the block in a node's name: its first group, or the whole match. Default: the name's first segment. */
  readonly pattern?: RegExp;
}

/** Block perturbation: tangents at the outputs of named blocks, which is what the paper's network experiments perturb. */
export function blocks({ pattern, shareTangents = false }: BlocksOptions = {}): EstimatorDefinition {
  return {
    name: "blocks",
    config: { pattern: pattern ? `${pattern}` : null, shareTangents },
    plan: (objective, options) =>
      planSites(objective, { ...options, shareTangents, blocks: pattern ?? true }),
  };
}
