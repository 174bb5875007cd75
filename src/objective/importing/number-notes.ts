/** What is to be said of a model whose numbers have few bits. */
import { type Words, words } from "../../errors/words.ts";
import { describeNode, type Node } from "../../onnx/graph.ts";
import type { Model } from "../../onnx/read-model.ts";

/** @param rounding a node that rounds activations */
export function notesOnNumbers({ source, file }: Model, rounding: Node | undefined): Words[] {
  const notes: Words[] = [];
  if (file)
    notes.push(
      words`${source} holds 16-bit floats or 4-bit integers: steps compute in float32 and keep float32 weights; saved
        files have the types of this one.`,
    );
  if (rounding)
    notes.push(
      words`${source} rounds activations (${describeNode(rounding)}): derivatives pass straight through, as if nothing
        were rounded, and are 0 beyond the range of the type (a straight-through estimator).`,
    );
  return notes;
}
