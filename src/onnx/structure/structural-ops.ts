/** Which ops are replaced before a model is differentiated: control flow and lists of tensors. */
import type { Node } from "../graph.ts";

/** Ops with graphs inside, which read values of the graph around them without naming them as inputs. */
export const controlFlowOps: ReadonlySet<string> = new Set(["If", "Loop", "Scan", "SequenceMap"]);

/** Ops that make, read or change sequences. */
export const sequenceOps = [
  "SequenceEmpty",
  "SequenceConstruct",
  "SplitToSequence",
  "SequenceInsert",
  "SequenceErase",
  "SequenceAt",
  "SequenceLength",
  "ConcatFromSequence",
  "SequenceMap",
] as const;

/** Whether an op is replaced by plain nodes (`structure.ts`). */
export function isStructural({ op, domain }: Pick<Node, "op" | "domain">): boolean {
  return domain === "" && (controlFlowOps.has(op) || (sequenceOps as readonly string[]).includes(op));
}
