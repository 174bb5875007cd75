/** Gradients by reverse mode: of everything, or of each block alone. */
import { dependents, type Graph, getValue, prune, type Value } from "../onnx/graph.ts";
import { elementCount, tensorOf, zeros } from "../onnx/tensor.ts";
import { GraphBuilder } from "../ops/builder.ts";
import { reshape, withInfinities } from "../ops/rules.ts";
import { gradientName, linearName, linearValue } from "./names.ts";
import { transposeLinear } from "./pullback.ts";
import { pushforward } from "./pushforward.ts";
import type { Site } from "./sites.ts";

/**
 * The exact gradient ("backprop"): a graph that computes `output` and `gradient/<name>` for each named value, a parameter
 * or one on the way, by transposing the linear part of the forward derivative. Of an output that is no scalar it is the
 * gradient of the sum.
 *
 * @param kept other values of the graph that become outputs
 * @param cut values that gradients do not pass: what is computed from them takes them as given. Default: none
 */
export function gradientGraph(
  graph: Graph,
  names: readonly string[],
  output: string,
  kept: readonly string[] = [],
  cut?: ReadonlySet<string>,
): Graph {
  const g = new GraphBuilder(`${graph.name}/gradient`, graph);
  const gradients = emitGradients(g, graph, names, output, cut);
  return finish(g, graph, {
    ...Object.fromEntries([output, ...kept].map((name) => [name, getValue(graph, name)])),
    ...outputsOf(g, graph, gradients, names),
  });
}

/**
 * The local transposes of all blocks: the gradients of the parameters from estimated gradients at their sites. No
 * cotangent crosses a site, because the linear part that is transposed ends at each of them.
 *
 * @param emitCotangent emits the cotangent of a site's value, of the site's shape; undefined where it is 0
 * @param residuals whether the primal values that the transposes read are inputs, or computed again in the same graph
 * @param kept values of the graph that become outputs, where it is computed again
 * @returns a graph with the outputs `gradient/<parameter>`; primal values that are inputs keep their names
 */
export function localGradientGraph(
  graph: Graph,
  sites: readonly Site[],
  emitCotangent: (g: GraphBuilder, site: Site, value: Value) => Value | undefined,
  residuals: "inputs" | "computed" = "inputs",
  kept: readonly string[] = [],
): Graph {
  const parameters = [...new Set(sites.flatMap((site) => site.parameters))];
  const g = new GraphBuilder(`${graph.name}/local gradients`, graph);
  const seeds = linearInputs(g, graph, parameters);
  const cut = new Set(sites.map((site) => site.value));
  const tangents = pushforward(g, graph, seeds, { cut });
  const cotangents = new Map<string, Value>();
  for (const site of sites) {
    const tangent = tangents.get(site.value);
    if (!tangent || "left" in tangent) continue;
    const value = getValue(graph, site.value);
    const cotangent = emitCotangent(g, site, value);
    if (cotangent) cotangents.set(tangent.name, reshape(g, cotangent, [1, ...value.shape]));
  }
  const gradients = transposed(g, seeds, cotangents);
  const local = finish(g, graph, {
    ...Object.fromEntries(kept.map((name) => [name, getValue(graph, name)])),
    ...outputsOf(g, graph, gradients, parameters),
  });
  return residuals === "computed" ? local : cutResiduals(local, graph, parameters);
}

/**
 * Emits the gradient of the sum of `output` at a value on the way to it, in a builder that starts with `graph`.
 *
 * @returns [1, ...shape of the value]
 */
export function emitGradientAt(g: GraphBuilder, graph: Graph, name: string, output: string): Value {
  const { dtype, shape } = getValue(graph, name);
  return emitGradients(g, graph, [name], output).get(name) ?? g.constant(zeros(dtype, [1, ...shape]));
}

/** Emits the gradients of the sum of `output`, [1, ...shape] each; values that do not reach it have none. */
function emitGradients(
  g: GraphBuilder,
  graph: Graph,
  names: readonly string[],
  output: string,
  cut?: ReadonlySet<string>,
): Map<string, Value> {
  const { dtype, shape } = getValue(graph, output);
  const ones = g.constant(tensorOf(dtype, new Array<number>(elementCount(shape)).fill(1), [1, ...shape]));
  return emitCotangents(g, graph, names, { name: output, cotangent: ones }, cut);
}

/**
 * Emits the cotangents of values from that of one behind them, in a builder that has all values of `graph`.
 *
 * @param end a value and its cotangent, [1, ...shape] @param cut values that are given: nothing passes them
 * @returns by name, [1, ...shape] each; values that do not reach the end have none
 */
export function emitCotangents(
  g: GraphBuilder,
  graph: Graph,
  names: readonly string[],
  end: { readonly name: string; readonly cotangent: Value },
  cut?: ReadonlySet<string>,
): Map<string, Value> {
  const seeds = linearInputs(g, graph, names);
  const tangent = pushforward(g, graph, seeds, { cut }).get(end.name);
  const cotangents = new Map<string, Value>();
  if (tangent && !("left" in tangent)) cotangents.set(tangent.name, end.cotangent);
  return transposed(g, seeds, cotangents);
}

/** One placeholder tangent [1, ...shape] for each parameter. */
function linearInputs(g: GraphBuilder, graph: Graph, parameters: readonly string[]): Map<string, Value> {
  return new Map(
    parameters.map((name) => {
      const { dtype, shape } = getValue(graph, name);
      return [name, g.input(linearName(name), dtype, [1, ...shape])];
    }),
  );
}

function transposed(
  g: GraphBuilder,
  seeds: ReadonlyMap<string, Value>,
  cotangents: ReadonlyMap<string, Value>,
): Map<string, Value> {
  const names = new Set([...seeds.values()].map((seed) => seed.name));
  const results = transposeLinear(g, g.snapshot(), names, cotangents);
  return new Map([...results].map(([name, value]) => [linearValue(name), value]));
}

function outputsOf(
  g: GraphBuilder,
  graph: Graph,
  gradients: ReadonlyMap<string, Value>,
  parameters: readonly string[],
): Record<string, Value> {
  return Object.fromEntries(
    parameters.map((name) => {
      const { dtype, shape } = getValue(graph, name);
      const gradient = gradients.get(name);
      return [
        gradientName(name),
        gradient ? withInfinities(g, reshape(g, gradient, shape)) : g.constant(zeros(dtype, shape)),
      ];
    }),
  );
}

/** Builds and drops the placeholders: nothing reads them once everything is transposed. */
function finish(g: GraphBuilder, graph: Graph, outputs: Record<string, Value>): Graph {
  return keepUsedInputs(g.build(outputs), new Set(graph.inputs.map((input) => input.name)));
}

/** Turns primal values that depend on data and are read by the transposes into inputs, fed from the forward pass. */
export function cutResiduals(local: Graph, primal: Graph, parameters: readonly string[]): Graph {
  const data = primal.inputs.map((input) => input.name).filter((name) => !parameters.includes(name));
  const onData = dependents(primal, data);
  const computed = new Set(primal.nodes.flatMap((node) => node.outputs));
  const residuals = new Set<string>();
  for (const node of local.nodes) {
    if (node.outputs.some((name) => computed.has(name))) continue;
    for (const name of node.inputs) if (onData.has(name) && computed.has(name)) residuals.add(name);
  }
  const cut: Graph = {
    ...local,
    inputs: [...local.inputs, ...[...residuals].map((name) => getValue(local, name))],
    nodes: local.nodes.filter((node) => !node.outputs.some((name) => residuals.has(name))),
  };
  return keepUsedInputs(prune(cut), new Set());
}

/** The graph without inputs that no node reads, except those to keep. */
export function keepUsedInputs(graph: Graph, keep: ReadonlySet<string>): Graph {
  const read = new Set(graph.nodes.flatMap((node) => node.inputs));
  return { ...graph, inputs: graph.inputs.filter((input) => read.has(input.name) || keep.has(input.name)) };
}
