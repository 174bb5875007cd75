/** How much memory a step of training takes, from the shapes of a graph's values: nothing is run. */
import { dependents, type Node, type Value } from "../onnx/graph.ts";
import { bytesPerElement, elementCount } from "../onnx/tensor.ts";
import type { Differentiable } from "./objective.ts";

/** Bytes of the values of one step, by what they are for. */
export interface ValueMemory {
  /** Of all stored tensors, once: every compiled graph has its own. */
  readonly weights: number;
  /** Most that are alive at once in a forward pass. */
  readonly forward: number;
  /** All that depend on what is trained, because derivatives are computed of them; 0 where they are computed again. */
  readonly kept: number;
  /** Most tangents, or cotangents, that are alive at once. */
  readonly derivatives: number;
}

/** Ops whose result is their input, seen otherwise: an engine copies nothing. */
const views = new Set(["Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity"]);

/**
 * Follows the nodes in their order, and counts what is computed and still needed.
 *
 * @param tangents how many are carried at once; 0 for exact gradients
 * @param lowMemory whether values are computed again where they are needed
 */
export function valueMemory(
  { graph, parameters }: Pick<Differentiable, "graph" | "parameters">,
  { tangents, lowMemory }: { readonly tangents: number; readonly lowMemory: boolean },
): ValueMemory {
  const trained = Object.keys(parameters);
  const isTrained = new Set(trained);
  const inputs = graph.inputs.map(({ name }) => name).filter((name) => !isTrained.has(name));
  const [onData, onTrained] = [dependents(graph, inputs), dependents(graph, trained)];
  const sizes = new Map<string, number>();
  const totalBytes = (tensors: readonly Pick<Value, "dtype" | "shape">[]) =>
    tensors.reduce((sum, { dtype, shape }) => sum + elementCount(shape) * bytesPerElement(dtype), 0);
  for (const { op, outputs } of graph.nodes)
    for (const name of outputs) {
      const value = graph.values.get(name);
      if (!value || !onData.has(name) || views.has(op)) continue;
      sizes.set(name, totalBytes([value]));
    }
  const derived = new Map(
    [...sizes].filter(([name]) => onTrained.has(name) && graph.values.get(name)?.dtype === "float32"),
  );
  const kept = [...derived.values()].reduce((sum, size) => sum + size, 0);
  return {
    weights: totalBytes([...graph.initializers.values(), ...Object.values(parameters)]),
    forward: mostAlive(graph.nodes, sizes),
    kept: lowMemory ? 0 : kept,
    derivatives: Math.max(1, tangents) * mostAlive(graph.nodes, derived),
  };
}

/** The largest sum of sizes of values that are computed and still needed. */
function mostAlive(nodes: readonly Node[], sizes: ReadonlyMap<string, number>): number {
  const lastUse = new Map<string, number>();
  for (const [index, { inputs, outputs }] of nodes.entries())
    for (const name of [...inputs, ...outputs]) lastUse.set(name, index);
  let [alive, most] = [0, 0];
  for (const [index, { inputs, outputs }] of nodes.entries()) {
    for (const name of outputs) alive += sizes.get(name) ?? 0;
    most = Math.max(most, alive);
    for (const name of new Set([...inputs, ...outputs]))
      if (lastUse.get(name) === index) alive -= sizes.get(name) ?? 0;
  }
  return most;
}
