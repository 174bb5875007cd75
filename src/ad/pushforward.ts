/** Forward mode: the tangents of all values. */
import { ModelError } from "../errors/errors.ts";
import {
  dependents,
  describeNode,
  type Graph,
  getValue,
  type Node,
  nodeName,
  producers,
  type Value,
} from "../onnx/graph.ts";
import { isFloat } from "../onnx/tensor.ts";
import type { GraphBuilder } from "../ops/builder.ts";
import type { Emitter } from "../ops/emitter.ts";
import { opOf } from "../ops/find-op.ts";
import { isFactored, type Op, type Tangent } from "../ops/op.ts";
import { broadcastTangent, stacked } from "../ops/rules.ts";
import type { ComputedNode } from "../ops/view.ts";

/** How far tangents go. */
export interface PushforwardOptions {
  /** Values whose tangents are recorded but go no further: the rest of the graph sees zeros there. */
  readonly cut?: ReadonlySet<string>;
}

/**
 * Forward mode: appends to `g`, which contains `graph` already, the tangents of all values that depend on a seed.
 *
 * A seed on a graph input or parameter is its tangent; a seed on a computed value is *added* to the tangent that
 * reaches it. One pass carries all k tangents, stacked on the leading axis (Flügel et al., arXiv 2410.17764, eq. 4).
 *
 * @param seeds value name → tangent, [k, ...shape] or factored
 * @returns value name → tangent, seeds included
 */
export function pushforward(
  g: GraphBuilder,
  graph: Graph,
  seeds: ReadonlyMap<string, Tangent>,
  options: PushforwardOptions = {},
): Map<string, Tangent> {
  const tangents = new Map<string, Tangent>();
  const recorded = new Map<string, Tangent>();
  const computed = producers(graph);
  for (const [name, seed] of seeds) {
    checkSeed(getValue(graph, name), seed);
    if (!computed.has(name)) tangents.set(name, whole(g, getValue(graph, name), seed));
  }
  const reached = dependents(graph, seeds.keys());
  for (const node of graph.nodes) {
    if (!node.outputs.some((name) => reached.has(name))) continue;
    const view = computedNode(g, node);
    const incoming = node.inputs.map((name) => tangents.get(name));
    const outgoing = incoming.some((tangent) => tangent !== undefined)
      ? applyRule(g, view, incoming, graph.opset)
      : [];
    node.outputs.forEach((name, index) => {
      const tangent = addSeed(g, view.outputs[index], outgoing[index], seeds.get(name));
      if (!tangent) return;
      if (options.cut?.has(name)) recorded.set(name, tangent);
      else tangents.set(name, tangent);
    });
  }
  for (const [name, tangent] of recorded) tangents.set(name, tangent);
  return tangents;
}

function applyRule(
  g: GraphBuilder,
  view: ComputedNode,
  tangents: readonly (Tangent | undefined)[],
  opset: number,
): readonly (Tangent | undefined)[] {
  const op: Op = opOf(view.node, opset, g.further);
  if (op.lower && !op.jvp) {
    throw new ModelError(
      `${describeNode(view.node)} is composite and has no derivative rule of its own; pass the graph through ` +
        "upgradeGraph first, which lowers it to primitive ops.",
      { node: nodeName(view.node) },
    );
  }
  if (tangents.some(isFactored)) {
    const factored = op.jvpFactored?.(g, view, tangents);
    if (factored) return factored;
  }
  const whole = tangents.map(
    (tangent, index) => tangent && stacked(g, tangent, view.inputs[index]?.shape ?? []),
  );
  return op.jvp?.(g, view, whole) ?? [];
}

function addSeed(
  g: Emitter,
  value: Value | undefined,
  tangent: Tangent | undefined,
  seed: Tangent | undefined,
): Tangent | undefined {
  if (!value || !seed) return tangent;
  if (!tangent) return whole(g, value, seed);
  return g.add(stacked(g, tangent, value.shape), stacked(g, seed, value.shape));
}

/** A seed that is shared along an axis (size 1 there) as a tangent of the value's whole shape. */
function whole(g: Emitter, value: Value, seed: Tangent): Tangent {
  return isFactored(seed) ? seed : broadcastTangent(g, seed, value);
}

function checkSeed(value: Value, seed: Tangent): void {
  if (!isFloat(value.dtype)) {
    throw new ModelError(`The value '${value.name}' is ${value.dtype}; only float values have tangents.`);
  }
  const shape = isFactored(seed) ? [seed.left.shape[1], seed.right.shape[1]] : seed.shape.slice(1);
  const [rows = 1, ...rest] = value.shape;
  const expected = isFactored(seed) ? [rows, rest.reduce((product, size) => product * size, 1)] : value.shape;
  if (shape.length !== expected.length || shape.some((size, axis) => size !== expected[axis] && size !== 1)) {
    throw new ModelError(
      `The tangent of '${value.name}' must have the shape [k, ${expected.join(", ")}], received ` +
        `[k, ${shape.join(", ")}].`,
    );
  }
}

/** The view of a node whose inputs and outputs are all in `g`. */
export function computedNode(g: GraphBuilder, node: Node): ComputedNode {
  const find = (name: string) => (name === "" ? undefined : g.value(name));
  const inputs = node.inputs.map(find);
  const outputs = node.outputs.map((name) => {
    const output = find(name);
    if (!output)
      throw new ModelError(`${describeNode(node)}: an omitted output has no tangent rule.`, {
        node: nodeName(node),
      });
    return output;
  });
  return { node, inputs, outputs, constant: (index) => g.constantOf(inputs[index]) };
}
