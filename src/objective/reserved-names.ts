/** Names that derived graphs use themselves stay free for them. */
import { isReserved } from "../ad/names.ts";
import { ModelError } from "../errors/errors.ts";
import type { Graph } from "../onnx/graph.ts";

/**
 * Renames values inside a graph whose names the derived graphs use themselves.
 *
 * @throws when an input, output or stored tensor has such a name, because its name is public
 */
export function freeReservedNames(graph: Graph, source: string): Graph {
  const open = [...graph.inputs, ...graph.outputs]
    .map((value) => value.name)
    .concat(...graph.initializers.keys());
  const clash = open.find(isReserved);
  if (clash !== undefined) {
    throw new ModelError(
      `${source}: '${clash}' is the name of an input, output or stored tensor, and derived graphs need that name for ` +
        "themselves; export the model with another one.",
      { source },
    );
  }
  const renamed = new Map([...graph.values.keys()].filter(isReserved).map((name) => [name, `model/${name}`]));
  if (renamed.size === 0) return graph;
  const rename = (name: string) => renamed.get(name) ?? name;
  const nodes = graph.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
  }));
  const values = new Map(
    [...graph.values].map(([name, value]) => [rename(name), { ...value, name: rename(name) }]),
  );
  return { ...graph, nodes, values };
}
