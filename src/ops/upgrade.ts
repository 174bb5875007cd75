/** Brings a graph into the emitted form: the newest opset, composite ops written out. */
import { formatShape, type Graph, getValue, type Node, type Value } from "../onnx/graph.ts";
import { nodeError } from "../onnx/node-error.ts";
import type { Tensor } from "../onnx/tensor.ts";
import { emittedOpset, GraphBuilder } from "./builder.ts";
import { type FurtherOps, olderForms, opOf, rulesOf, withRules } from "./find-op.ts";
import type { Op } from "./op.ts";
import { sameDimensions } from "./rules.ts";

/**
 * The graph in the emitted form: each node rewritten by its op's own `upgrade` where the opset changed its form, and
 * composite nodes replaced by what their `lower` emits. All values keep their names.
 *
 * @param further rules of ops beyond the everyday ones, which the result brings; default: those that the graph brings
 * @throws for the first node whose op is not supported: names node, op, domain and opset.
 */
export function upgradeGraph(given: Graph, further: FurtherOps = rulesOf(given)): Graph {
  const graph = withRules(given, further);
  const forms = further[olderForms];
  const initializers = new Map(graph.initializers);
  const values = new Map<string, Value>(graph.values);
  const constant = (tensor: Tensor) => {
    let name = "upgraded";
    for (let counter = 1; values.has(name); counter++) name = `upgraded_${counter}`;
    initializers.set(name, tensor);
    values.set(name, { name, dtype: tensor.dtype, shape: tensor.shape });
    return name;
  };
  const nodes = graph.nodes.flatMap((from) => {
    const several = forms?.overSeveralAxes(
      from,
      getValue(graph, from.inputs[0] || from.outputs[0] || ""),
      graph.opset,
      constant,
    );
    for (const value of several?.values ?? []) values.set(value.name, value);
    return (several?.nodes ?? [from]).map((each): Node => {
      const node = forms?.olderForm(each, graph.opset, constant) ?? each;
      const op = opOf(node, emittedOpset, further);
      return op.upgrade ? op.upgrade(node, graph.opset, constant) : node;
    });
  });
  const upgraded = { ...graph, opset: emittedOpset, nodes, initializers, values };
  return rewritten(upgraded, (node) => opOf(node, emittedOpset, further).lower, true);
}

/** A graph that is about to run, its nodes in the forms that an engine computes fastest. All values keep their names. */
export function fasterGraph(graph: Graph): Graph {
  return rewritten(graph, (node) => opOf(node, graph.opset, rulesOf(graph)).faster, false);
}

/** @param isRepeated whether what a rule emits is rewritten, too */
function rewritten(graph: Graph, ruleOf: (node: Node) => Rewrite | undefined, isRepeated: boolean): Graph {
  if (!graph.nodes.some(ruleOf)) return graph;
  const g = new GraphBuilder(graph.name, graph);
  const rewrite = (node: Node): Node[] => {
    const lower = ruleOf(node);
    const emitted = lower && lowered(g, node, lower);
    if (!emitted) return [node];
    return isRepeated ? emitted.flatMap(rewrite) : emitted;
  };
  const nodes = graph.nodes.flatMap(rewrite);
  const { initializers, values } = g.snapshot();
  const computed = nodes.flatMap((node) => node.outputs).filter((name) => name !== "");
  const kept = [...graph.inputs.map(({ name }) => name), ...initializers.keys(), ...computed];
  return {
    ...graph,
    nodes,
    initializers,
    values: new Map(kept.map((name) => [name, graph.values.get(name) ?? (values.get(name) as Value)])),
  };
}

type Rewrite = NonNullable<Op["lower"]>;

/** The nodes that take a composite node's place: named "<its name>/…", or a single one as it was, with its outputs under their own names. */
function lowered(g: GraphBuilder, node: Node, lower: Rewrite): Node[] | undefined {
  const path = node.name || node.outputs.find((name) => name !== "") || node.op;
  const inputs = node.inputs.map((name) => (name === "" ? undefined : g.value(name)));
  const start = g.nodeCount;
  const results = g.block(path, () =>
    lower(g, { node, inputs, constant: (index) => g.constantOf(inputs[index]) }),
  );
  if (!results) return undefined;
  const emitted = g.nodesAfter(start);
  const own = new Set(emitted.flatMap(({ outputs }) => outputs));
  const renamed = new Map<string, string>();
  const copies: Node[] = [];
  node.outputs.forEach((name, index) => {
    if (name === "") return;
    const result = results[index];
    const expected = g.value(name);
    if (result?.dtype !== expected.dtype || !sameDimensions(result.shape, expected.shape)) {
      throw nodeError(
        node,
        `its output '${name}' is ${expected.dtype} ${formatShape(expected.shape)}, but lowering ` +
          `it gives ${result ? `${result.dtype} ${formatShape(result.shape)}` : "nothing"}.`,
      );
    }
    if (own.has(result.name) && !renamed.has(result.name)) renamed.set(result.name, name);
    // An input, a constant, or a second name of the same value.
    else copies.push({ ...identity, name: `${path}/${name}`, inputs: [result.name], outputs: [name] });
  });
  const rename = (name: string) => renamed.get(name) ?? name;
  return [...emitted, ...copies].map((each, _, { length }) => ({
    ...each,
    name: length === 1 ? node.name : each.name,
    inputs: each.inputs.map(rename),
    outputs: each.outputs.map(rename),
  }));
}

const identity = { op: "Identity", domain: "", attributes: {} };
