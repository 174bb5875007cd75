/** A command of the browser's tests: what Node's CPU makes of a golden. It runs in Node. */
import type { BrowserCommand } from "vitest/node";
import { nodeRuntime } from "../../src/runtime/node.ts";
import { type EstimateNumbers, estimateWith } from "../estimates.ts";
import type { SmallModelGolden } from "../model-goldens.ts";

declare module "vitest/browser" {
  interface BrowserCommands {
    nodeEstimates(golden: SmallModelGolden, estimator: string): Promise<EstimateNumbers>;
  }
}

export const nodeEstimates: BrowserCommand<[golden: SmallModelGolden, estimator: string]> = (
  _,
  golden,
  estimator,
) => estimateWith(nodeRuntime({ threads: 1 }), golden, estimator);
