/** Block perturbation, as a choice. */
import { named } from "../../settings/named.ts";
import { type Given, pattern } from "../../settings/option.ts";
import type { EstimatorRule } from "../estimator.ts";
import { planSites, sharingOptions } from "./activations.ts";

export const blocksOptions = {
  /** Finds the block in a node's name: its first group, or the whole match. Default: the name's first segment. */
  pattern: pattern({
    help: "finds a block in a node's name",
    otherwise: "its first segment",
    flag: "blocks",
    was: ["blocks"],
  }),
  ...sharingOptions,
};

/** Options of `blocks`. */
export type BlocksOptions = Given<typeof blocksOptions>;

/** Block perturbation: tangents at the outputs of named blocks, which is what the paper's network experiments perturb. */
export const blocks = named(
  "perturb",
  "blocks",
  blocksOptions,
  ({ pattern: found, shareTangents }): EstimatorRule => ({
    plan: (objective, options) => planSites(objective, { ...options, shareTangents, blocks: found ?? true }),
  }),
);
