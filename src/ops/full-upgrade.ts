/** Bringing any graph into the emitted form, wherever it comes from. */
import type { Graph } from "../onnx/graph.ts";
import { furtherRules } from "./catalogue.ts";
import { type FurtherOps, rulesOf } from "./find-op.ts";
import { upgradeGraph as upgradeRuled } from "./upgrade.ts";

/**
 * The graph in the emitted form: each node rewritten by its op's own `upgrade` where the opset changed its form, and
 * composite nodes replaced by what their `lower` emits. All values keep their names, and the graph brings the rules of all ops.
 *
 * @param further rules of ops beyond the catalogue, which are composite
 * @throws for the first node whose op is not supported: names node, op, domain and opset.
 */
export function upgradeGraph(graph: Graph, further: FurtherOps = {}): Graph {
  return upgradeRuled(graph, { ...furtherRules, ...rulesOf(graph), ...further });
}
