/** Perturbation sites: where tangents are injected. */
import { ModelError, SettingError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";
import { consumers, dependents, type Graph, type Node } from "../onnx/graph.ts";

/** A graph value at which tangents are injected, and the parameters whose gradients follow from it. */
export interface Site {
  /** The name of the value. */
  readonly value: string;
  /** Names of the parameters of its block. */
  readonly parameters: readonly string[];
}

/**
 * The activation sites of a graph: the first value on each path from a parameter that also depends on a graph input,
 * with directly following parameter-consuming Adds joined (MatMul and bias are one site).
 *
 * @throws when a parameter reaches `output` without meeting a graph input on the way.
 */
export function activationSites(graph: Graph, parameters: readonly string[], output: string): Site[] {
  const onData = dataDependents(graph, parameters);
  const onParameters = dependents(graph, parameters);
  const readers = consumers(graph);
  const isParameterOnly = (value: string) => onParameters.has(value) && !onData.has(value);
  return collectSites(graph, parameters, output, (value) =>
    onData.has(value) ? joinAdds(graph, value, isParameterOnly, readers) : undefined,
  );
}

/** The first segment of a node's name: "layer1" of "layer1/Gemm" and of "/layer1/layer1.0/conv1/Conv". */
export const defaultBlockPattern = /^\/?([^/]+)\//;

/**
 * The outputs of named blocks as sites. A node belongs to the block that the pattern's first group (or the whole match)
 * finds in its name; blocks that read no parameter do not count.
 *
 * @throws when no node's name matches, or when a parameter reaches `output` without passing a block's output.
 */
export function blockSites(
  graph: Graph,
  parameters: readonly string[],
  output: string,
  pattern: RegExp = defaultBlockPattern,
): Site[] {
  const onData = dataDependents(graph, parameters);
  const onParameters = dependents(graph, parameters);
  const blockOf = (node: Node) => {
    const match = pattern.exec(node.name);
    return match ? (match[1] ?? match[0]) : undefined;
  };
  const blocks = new Set<string>();
  for (const node of graph.nodes) {
    const block = blockOf(node);
    if (block !== undefined && node.inputs.some((name) => onParameters.has(name) && !onData.has(name)))
      blocks.add(block);
  }
  if (blocks.size === 0) {
    const names = graph.nodes.slice(0, 5).map((node) => `'${node.name}'`);
    throw new SettingError(
      words`The graph '${graph.name}' has no named block: no node that reads a parameter has a name that matches
        ${pattern} (the first nodes are ${names.join(", ")}). Choose a pattern that finds the blocks' names
        (${option("perturb.pattern")}), or perturb activations.`,
      { option: "perturb.pattern" },
    );
  }
  const readers = consumers(graph);
  const isSite = new Set<string>();
  for (const node of graph.nodes) {
    const block = blockOf(node);
    if (block === undefined || !blocks.has(block)) continue;
    for (const name of node.outputs) {
      const leaves = (readers.get(name) ?? []).some((reader) => blockOf(reader) !== block);
      if (onData.has(name) && leaves) isSite.add(name);
    }
  }
  return collectSites(graph, parameters, output, (value) => (isSite.has(value) ? value : undefined));
}

/** The names of all values that depend on a graph input that is no parameter. */
export function dataDependents(graph: Graph, parameters: readonly string[]): Set<string> {
  const data = graph.inputs.map((input) => input.name).filter((name) => !parameters.includes(name));
  return dependents(graph, data);
}

/**
 * Follows each parameter to the first sites on its ways to `output`.
 *
 * @param siteAt the site that a value is or belongs to; undefined where the way goes on
 */
export function collectSites(
  graph: Graph,
  parameters: readonly string[],
  output: string,
  siteAt: (value: string) => string | undefined,
): Site[] {
  const relevant = ancestors(graph, output);
  const readers = consumers(graph);
  const found = new Map<string, Set<string>>();
  for (const parameter of parameters) {
    const pending = [parameter];
    const seen = new Set(pending);
    while (pending.length > 0) {
      const name = pending.pop() as string;
      for (const result of (readers.get(name) ?? []).flatMap((node) => node.outputs)) {
        if (result === "" || !relevant.has(result) || seen.has(result)) continue;
        const site = siteAt(result);
        if (site !== undefined) {
          found.set(site, (found.get(site) ?? new Set()).add(parameter));
        } else if (result === output) {
          throw new ModelError(
            words`The parameter '${parameter}' reaches '${output}' without passing a site: it meets no model input on
              the way, or lies in no named block. Exclude it from training (${option("frozen")}), or perturb weights
              instead (${option("perturb", "weights")}).`,
            { source: graph.name },
          );
        } else {
          seen.add(result);
          pending.push(result);
        }
      }
    }
  }
  const order = new Map(
    graph.nodes.flatMap((node, index) => node.outputs.map((name) => [name, index] as const)),
  );
  return [...found]
    .map(([value, block]) => ({ value, parameters: [...block] }))
    .sort((a, b) => (order.get(a.value) ?? 0) - (order.get(b.value) ?? 0));
}

/** Follows Adds of parameter-only values, as long as nothing else reads the value in between. */
function joinAdds(
  graph: Graph,
  start: string,
  isParameterOnly: (value: string) => boolean,
  readers: ReadonlyMap<string, readonly Node[]>,
): string {
  let site = start;
  for (;;) {
    const [next, ...others] = readers.get(site) ?? [];
    const other = next?.inputs.find((name) => name !== site);
    const isOutput = graph.outputs.some((output) => output.name === site);
    const joins =
      next?.op === "Add" && others.length === 0 && !isOutput && other !== undefined && isParameterOnly(other);
    if (!joins) return site;
    site = next.outputs[0] as string;
  }
}

/** The names of all values that `output` depends on, itself included. */
export function ancestors(graph: Graph, output: string): Set<string> {
  const reached = new Set([output]);
  for (const node of [...graph.nodes].reverse())
    if (node.outputs.some((name) => reached.has(name))) for (const input of node.inputs) reached.add(input);
  return reached;
}
