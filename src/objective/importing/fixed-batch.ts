import { hasOpenBatch } from "../../onnx/bind.ts";
import type { Model } from "../../onnx/read-model.ts";
import { isFloat } from "../../onnx/tensor.ts";
import type { ProbeModel, TrainedModel, WantedBatch } from "./open-batch.ts";

/** The batch that a model's file fixes: the first axis of its inputs; undefined where it is open. */
export function fixedBatch(model: Model): number | undefined {
  if (hasOpenBatch(model)) return undefined;
  const first = model.inputs.find(({ dtype, dimensions = [] }) => isFloat(dtype) && dimensions.length > 0);
  const size = (first ?? model.inputs[0])?.dimensions?.[0];
  return typeof size === "number" && size > 0 ? size : undefined;
}

/**
 * Opens a model whose file fixes its batch, where all its nodes allow it: they are planned for another batch, and each
 * example must get what the file gives it. Otherwise the file's batch stays, and the note names the node that holds it.
 *
 * @param probeModel the model's graph, by running it
 */
export async function openFixedBatch(
  model: Model,
  wanted: WantedBatch,
  probeModel: ProbeModel,
): Promise<TrainedModel> {
  const graph = await probeModel(model);
  const fixed = fixedBatch(model);
  if (fixed === undefined || fixed === wanted.batch) return { model, graph };
  // Few files fix their batch, so that what opens them loads when one does.
  return (await import("./open-batch.ts")).openBatch({ model, graph, fixed }, wanted, probeModel);
}
