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
  const relevant = ancestors(graph, output);
  const onData = dependents(
    graph,
    graph.inputs.map((input) => input.name).filter((name) => !parameters.includes(name)),
  );
  const onParameters = dependents(graph, parameters);
  const readers = consumers(graph);
  const found = new Map<string, Set<string>>();
  for (const parameter of parameters) {
    // Values computed from this parameter that have not met data yet.
    const pending = [parameter];
    const seen = new Set(pending);
    while (pending.length > 0) {
      const name = pending.pop() as string;
      for (const node of readers.get(name) ?? []) {
        for (const result of node.outputs) {
          if (result === "" || !relevant.has(result)) continue;
          if (onData.has(result)) {
            const site = joinAdds(
              graph,
              result,
              (value) => onParameters.has(value) && !onData.has(value),
              readers,
            );
            const block = found.get(site) ?? new Set();
            found.set(site, block.add(parameter));
          } else if (result === output) {
            throw new Error(
              `The parameter '${parameter}' reaches '${output}' without meeting a model input, so it has no activation ` +
                "site. Exclude it from training, or perturb weights instead (perturb: weights).",
            );
          } else if (!seen.has(result)) {
            seen.add(result);
            pending.push(result);
          }
        }
      }
    }
  }
  const order = new Map(
    graph.nodes.flatMap((node, place) => node.outputs.map((name) => [name, place] as const)),
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

function ancestors(graph: Graph, output: string): Set<string> {
  const reached = new Set([output]);
  for (const node of [...graph.nodes].reverse())
    if (node.outputs.some((name) => reached.has(name))) for (const input of node.inputs) reached.add(input);
  return reached;
}
