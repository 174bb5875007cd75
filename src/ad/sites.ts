/** Perturbation sites: where tangents are injected. */
import { ModelError } from "../errors/errors.ts";
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
