/** Perturbation sites at the ends of layers. */
import { consumers, type Graph, getValue, type Node } from "../onnx/graph.ts";
import { elementCount, isFloat } from "../onnx/tensor.ts";
import { activationSites, ancestors, collectSites, dataDependents, type Site } from "./sites.ts";

/** A layer's output as a site. */
export interface LayerSite extends Site {
  /** True for a ReLU's outputs, pooled or not: where they are zero, no gradient reaches the layer's parameters. */
  readonly rectified: boolean;
}

export interface LayerSites {
  readonly sites: readonly LayerSite[];
  /** The block that ends at `output` itself, whose gradient there is known: 1. */
  readonly last?: Site;
}

/**
 * The outputs of layers as sites. A layer begins where a stored matrix, kernel or table meets data, and goes on through
 * activations, normalizations, pools, residual sums, attention …, as long as one value alone leads on to `output` and up
 * to the next layer; of the values on that way it ends at the smallest, and at the last of equally small ones. Fewer
 * numbers are perturbed, which makes estimates less noisy; the transposes are still local to a layer. The last layer
 * ends at `output`, so its parameters need no tangents. Where all parameters lie in it, the sites are those of
 * `activationSites`.
 *
 * @param nonNegative graph inputs known to hold no negative numbers, such as the masks of dropout
 * @param unfit values at which no layer may end; where nothing else is left, it ends where it begins
 */
export function layerSites(
  graph: Graph,
  parameters: readonly string[],
  output: string,
  nonNegative: ReadonlySet<string> = new Set(),
  unfit: ReadonlySet<string> = new Set(),
): LayerSites {
  const ends = layerEnds(graph, parameters, output, unfit);
  const found = collectSites(graph, parameters, output, (value) => (ends.has(value) ? value : undefined));
  const inner = found.filter(({ value }) => value !== output);
  const isRectified = rectifiedValues(graph, nonNegative);
  if (inner.length === 0)
    return {
      sites: activationSites(graph, parameters, output).map((site) => ({ ...site, rectified: false })),
    };
  return {
    sites: inner.map((site) => ({ ...site, rectified: isRectified.has(site.value) })),
    last: found.find(({ value }) => value === output),
  };
}

/** Ops whose stored operand makes a layer; elementwise ones and normalizations belong to the layer they follow. */
const layerOps = new Set(["MatMul", "Gemm", "Conv", "ConvTranspose", "Einsum", "Gather"]);

/** The values at which layers end, `output` included. */
function layerEnds(
  graph: Graph,
  parameters: readonly string[],
  output: string,
  unfit: ReadonlySet<string>,
): Set<string> {
  const onData = dataDependents(graph, parameters);
  const relevant = ancestors(graph, output);
  const nodes = graph.nodes.filter((node) => node.outputs.some((name) => relevant.has(name)));
  const isStored = (name: string) => name !== "" && !onData.has(name) && isFloat(getValue(graph, name).dtype);
  const begins = (node: Node) => layerOps.has(node.op) && node.inputs.slice(0, 2).some(isStored);
  const readers = consumers({ nodes });
  const ends = new Set([output]);
  for (const [index, node] of nodes.entries()) {
    const [start = ""] = node.outputs;
    if (begins(node) && onData.has(start))
      ends.add(endOf(graph, start, nodes.slice(index + 1), begins, readers, unfit));
  }
  return ends;
}

/** Follows `start` through the nodes behind it, to the end of its layer. */
function endOf(
  graph: Graph,
  start: string,
  nodes: readonly Node[],
  begins: (node: Node) => boolean,
  readers: ReadonlyMap<string, readonly Node[]>,
  unfit: ReadonlySet<string>,
): string {
  const sizeOf = (name: string) => elementCount(getValue(graph, name).shape);
  // Values computed from `start`, with the number of nodes that have yet to read them.
  const waiting = new Map([[start, readers.get(start)?.length ?? 0]]);
  let end = start;
  const isBetter = (name: string) =>
    !unfit.has(name) &&
    isFloat(getValue(graph, name).dtype) &&
    (unfit.has(end) || sizeOf(name) <= sizeOf(end));
  for (const node of nodes) {
    const inputs = [...new Set(node.inputs)].filter((name) => waiting.has(name));
    if (inputs.length === 0) continue;
    if (begins(node)) break;
    for (const name of inputs) {
      const left = (waiting.get(name) ?? 0) - 1;
      if (left > 0) waiting.set(name, left);
      else waiting.delete(name);
    }
    for (const name of node.outputs) {
      const count = readers.get(name)?.length ?? 0;
      if (name !== "" && count > 0) waiting.set(name, count);
    }
    const results = node.outputs.filter((name) => name !== "");
    const [alone, ...others] = waiting.size > 0 ? waiting.keys() : results;
    if (alone !== undefined && others.length === 0 && isBetter(alone)) end = alone;
  }
  return end;
}

/** Ops whose outputs are zero where the inputs they come from are, and otherwise positive, if no input is negative. */
const zeroKeepers = new Set([
  ...["Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"],
  ...["MaxPool", "GlobalMaxPool", "AveragePool", "GlobalAveragePool", "ReduceMean"],
]);

/** Values in which a zero means that the ReLUs before it are inactive (or dropped) wherever it comes from. */
function rectifiedValues(graph: Graph, nonNegative: ReadonlySet<string>): Set<string> {
  const rectified = new Set<string>();
  for (const node of graph.nodes) {
    const [x = "", y = ""] = node.inputs;
    const keepsZeros =
      node.op === "Relu" ||
      (zeroKeepers.has(node.op) && rectified.has(x)) ||
      (node.op === "Mul" && (rectified.has(x) ? nonNegative.has(y) : rectified.has(y) && nonNegative.has(x)));
    if (keepsZeros) rectified.add(node.outputs[0] ?? "");
  }
  return rectified;
}
