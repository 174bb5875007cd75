/** Block perturbation, as a choice. */
import { named } from "../../settings/named.ts";
import { type Given, pattern, toggle } from "../../settings/option.ts";
import type { EstimatorRule } from "../estimator.ts";
import { sharingOptions, siteRule } from "./activations.ts";

export const blocksOptions = {
  /** Finds the block in a node's name: its first group, or the whole match. Default: its path up to the first numbered module; where that tells none apart, blocks end at residual sums. */
  pattern: pattern({
    help: "finds a block in a node's name",
    otherwise: "its path up to the first numbered module, or residual sums",
    flag: "blocks",
    was: ["blocks"],
  }),
  ...sharingOptions,
  /**
   * Each block but the last gets a head of its own, a norm and a linear layer, and learns from its loss by exact gradients inside the
   * block; no tangents are drawn. That is another training objective; the heads are kept in checkpoints, not in saved models.
   */
  localHeads: toggle({
    help: "train each block by a head of its own, exactly: another objective than the loss",
  }),
};

/** Options of `blocks`. */
export type BlocksOptions = Given<typeof blocksOptions>;

/** Block perturbation: tangents at the outputs of named blocks, which is what the paper's network experiments perturb. */
export const blocks = named(
  "perturb",
  "blocks",
  blocksOptions,
  ({ pattern: found = true, localHeads, ...chosen }): EstimatorRule =>
    localHeads
      ? {
          isLocal: true,
          noise: { by: "nothing" },
          plan: async (...given) =>
            (await import("./local-heads.ts")).planLocalHeads(...given, found, chosen),
        }
      : siteRule(chosen, { by: "curvature", largest: 0.18, curved: 1 }, found),
);
