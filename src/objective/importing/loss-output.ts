/** What the loss reads of a model: the value that it is asked for, unless that ends in an activation that the loss contains. */
import type { Loss } from "../../losses/loss.ts";
import { type Node, producers } from "../../onnx/graph.ts";
import type { Model } from "../../onnx/read-model.ts";
import type { LossOutput } from "../final-activation.ts";

/** Ops behind an activation that change no numbers. */
const passing = new Set(["Identity", "Squeeze", "Unsqueeze", "Reshape", "Flatten", "Transpose", "Cast"]);
/** Ops at the end that more has to be known of; Concat joins the two classes of some exporters. */
const known = new Set(["Softmax", "LogSoftmax", "Sigmoid", "Concat"]);

/**
 * Finds what the loss reads: where nobody chose the output and it ends in an activation that the loss contains, the value
 * before that activation; otherwise the output as it is.
 *
 * @param isChosen whether the output was named by the user
 */
export async function lossOutput(
  model: Model,
  loss: Loss,
  output: string,
  isChosen: boolean,
): Promise<LossOutput> {
  const computedBy = producers(model);
  const behind: Node[] = [];
  let node = computedBy.get(output);
  while (node && passing.has(node.op) && node.domain === "") {
    behind.unshift(node);
    node = computedBy.get(node.inputs[0] ?? "");
  }
  const isPlain = node?.domain !== "" || !known.has(node.op);
  if (isPlain && model.outputs.some(({ name }) => name === output))
    return { model, activation: undefined, notes: [] };
  // Most models end in a layer, and are read where they end.
  const { readEnd } = await import("../final-activation.ts");
  return readEnd(model, loss, { output, isChosen }, { node, behind });
}
