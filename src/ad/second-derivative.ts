/** Second directional derivatives, by forward mode twice. */
import { type Graph, getValue, prune } from "../onnx/graph.ts";
import { zeros } from "../onnx/tensor.ts";
import { GraphBuilder } from "../ops/builder.ts";
import { reshape, stacked } from "../ops/rules.ts";
import { derivativeGraph } from "./derivatives.ts";
import { reserved, tangentName } from "./names.ts";
import { pushforward } from "./pushforward.ts";

/**
 * The second directional derivative by forward passes alone, the pushforward of the pushforward along the same u:
 * d²/dt² f(θ + t·u) at t = 0, which is uᵀ∇²f u where f is smooth (for a piecewise linear function, that of its piece).
 *
 * Inputs are the graph's and `tangent/<name>` [1, ...shape], which together are u; the outputs have the shape of
 * `output`: itself, `first` = ∇f·u and `second` = uᵀ∇²f u.
 *
 * @throws when `output` does not depend on any of the names
 */
export function secondDerivativeGraph(graph: Graph, names: readonly string[], output: string): Graph {
  const forms = new Map(names.map((name) => [name, "stacked" as const]));
  const derived = derivativeGraph(graph, forms, 1, output);
  const value = getValue(derived, output);
  const first = getValue(derived, reserved.derivatives);
  const once = prune(derived, [value, first]);
  const g = new GraphBuilder(`${graph.name}/second derivative`, once);
  // u itself does not change along u.
  const seeds = new Map(names.map((name) => [name, g.value(tangentName(name))]));
  const tangent = pushforward(g, once, seeds).get(reserved.derivatives);
  const second = tangent && stacked(g, tangent, first.shape);
  const { dtype, shape } = value;
  return g.build({
    [output]: value,
    first: reshape(g, first, shape),
    second: second ? reshape(g, second, shape) : g.constant(zeros(dtype, shape)),
  });
}
