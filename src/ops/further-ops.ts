/** Which rules beyond the everyday ones a model needs: they load where a model has such nodes, here and nowhere else. */
import type { Node } from "../onnx/graph.ts";
import { isStructural } from "../onnx/structure/structural-ops.ts";
import { isBuiltIn } from "../settings/named.ts";
import { type FurtherOps, findOp } from "./find-op.ts";
import { runtimeDomain } from "./runtime-domain/domain.ts";

/**
 * The rules that nodes of this opset need beyond the everyday ones: none, all others of the standard and the forms of older opsets, or ONNX Runtime's own as
 * well. Branches and loops may hold anything, and what users' own losses and guesses emit is not known.
 *
 * @param emitting what emits nodes beside the model
 */
export async function furtherOps(
  nodes: readonly Node[],
  opset: number,
  emitting: readonly (object | undefined)[] = [],
): Promise<FurtherOps> {
  const isOwn = emitting.some((thing) => thing && !isBuiltIn(thing));
  if (!isOwn && opset >= 13 && nodes.every((node) => findOp(node, opset))) return {};
  const { furtherRules } = await import("./catalogue.ts");
  if (!nodes.some((node) => node.domain === runtimeDomain || isStructural(node))) return furtherRules;
  return { ...furtherRules, ...(await import("./runtime-domain/runtime-ops.ts")).runtimeOps };
}
