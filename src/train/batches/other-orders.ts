/** Orders of examples that are not shuffled one by one. */
import type { Model } from "../../onnx/read-model.ts";
import type { RunOptions } from "../settings/run-settings.ts";
import type { BatchReaderOptions } from "./batch-reading.ts";
import { inGroups } from "./groups.ts";
import { weightedOrder } from "./weighted-order.ts";

/** How a run sets aside and visits examples whose loss several have together, or that are drawn by their class. @throws as both */
export function otherOrder(options: RunOptions, model: Model): Pick<BatchReaderOptions, "order" | "split"> {
  const { examples, sampling, loss } = options;
  if (loss.together) return inGroups(loss.together, options);
  return sampling ? { order: weightedOrder(examples, sampling, model) } : {};
}
