/** Reverse mode: the transpose of the linear part. */
import { ModelError } from "../errors/errors.ts";
import { dependents, describeNode, type Graph, nodeName, type Value } from "../onnx/graph.ts";
import type { GraphBuilder } from "../ops/builder.ts";
import { opOf } from "../ops/find-op.ts";
import { plus } from "../ops/rules.ts";
import { computedNode } from "./pushforward.ts";

/**
 * Transposes the linear part of a graph: appends to `g` the cotangents of `linearInputs` from those of some outputs.
 * Reverse mode is this, applied to what `pushforward` emitted.
 *
 * @param graph the graph that `g` contains, linear in `linearInputs`
 * @param cotangents value name → cotangent of the same shape
 * @returns linear input's name → cotangent; inputs that the outputs do not depend on are absent
 * @throws when an op on the way is not linear in what it reads
 */
export function transposeLinear(
  g: GraphBuilder,
  graph: Graph,
  linearInputs: ReadonlySet<string>,
  cotangents: ReadonlyMap<string, Value>,
): Map<string, Value> {
  const linear = dependents(graph, linearInputs);
  const collected = new Map(cotangents);
  for (const node of [...graph.nodes].reverse()) {
    if (!node.inputs.some((name) => linear.has(name))) continue;
    const outputs = node.outputs.map((name) => collected.get(name));
    if (outputs.every((cotangent) => cotangent === undefined)) continue;
    const view = computedNode(g, node);
    const { transpose } = opOf(node, graph.opset, g.further);
    node.inputs.forEach((name, index) => {
      if (!linear.has(name)) return;
      const cotangent = transpose?.(g, view, outputs, index);
      if (!cotangent) {
        throw new ModelError(
          `${describeNode(node)} is not linear in its input ${index} ('${name}') and has no transpose.`,
          { node: nodeName(node) },
        );
      }
      const before = collected.get(name);
      collected.set(name, before ? plus(g, before, cotangent) : cotangent);
    });
  }
  return new Map([...collected].filter(([name]) => linearInputs.has(name)));
}
