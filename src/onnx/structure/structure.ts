/** Control flow and lists of tensors, replaced by the plain nodes that shapes and constants make of them. */
import type { NodeProto } from "onnx-buf";
import { UnsupportedOpError } from "../../errors/errors.ts";
import { option, type Words, words } from "../../errors/words.ts";
import { isConstantOf } from "../constants.ts";
import { describeNode, nodeName } from "../graph.ts";
import { withFields } from "../messages/message.ts";
import { decodeNode, decodeTensor, type Model } from "../read-model.ts";
import { int64, type Tensor } from "../tensor.ts";
import { takeBranch } from "./branches.ts";
import type { Findings, Known, Wanted } from "./known.ts";
import { unrollLoop, unrollScan } from "./loops.ts";
import { sequenceRules } from "./sequences.ts";
import { isStructural, type sequenceOps } from "./structural-ops.ts";
import { countNodes, readsOf } from "./subgraphs.ts";

/** The key under which findings about a Loop are kept. */
export function loopKey({ output }: NodeProto): string {
  return output.find((name) => name !== "") ?? "";
}

/**
 * The model with all control flow and sequences replaced whose conditions, iterations, lengths and positions are known, and
 * what to find out for the rest. A sequence's elements are added to the findings.
 *
 * @throws when a loop is too long to be written out
 */
export function replaceStructure(
  model: Model,
  { numbers, shapes, iterations, sequences }: Findings,
): { readonly model: Model; readonly wanted: Wanted; readonly changed: boolean } {
  const wanted: Wanted = { numbers: new Set(), shapes: new Set(), loops: new Map() };
  const { graph } = model.proto;
  if (!graph || !model.nodes.some(isStructural)) return { model, wanted, changed: false };
  const stored = new Map(graph.node.map((node) => [node.output.join(), node]));
  const decoded = new Map(model.nodes.map((node) => [stored.get(node.outputs.join()), node]));
  const pending = model.nodes.flatMap((node) => stored.get(node.outputs.join()) ?? []).reverse();
  const constants = new Map<string, Tensor>();
  const done: NodeProto[] = [];
  let size = countNodes(graph.node);
  let changed = false;
  const known: Known = {
    source: model.source,
    limits: model.limits,
    get size() {
      return size;
    },
    sequences,
    numbers(name) {
      const found = numbers.get(name) ?? constants.get(name) ?? model.initializers.get(name);
      if (!found) wanted.numbers.add(name);
      return found;
    },
    shape(name) {
      const found = shapes.get(name);
      if (!found) wanted.shapes.add(name);
      return found;
    },
    iterations(loop) {
      const found = iterations.get(loopKey(loop));
      if (found === undefined) wanted.loops.set(loopKey(loop), loop);
      return found;
    },
  };
  for (let node = pending.pop(); node; node = pending.pop()) {
    const replaced = replacement(node, known, model.opset);
    if (!replaced) {
      const constant = constantOf(node, model);
      if (constant) constants.set(node.output[0] ?? "", constant);
      done.push(node);
      continue;
    }
    changed = true;
    size += countNodes(replaced) - countNodes([node]);
    for (const each of replaced.reverse()) pending.push(each);
  }
  // Stored tensors that the file keeps in Constant nodes are no nodes of the model.
  const apart = graph.node.filter((node) => isConstantOf(node, model.initializers));
  const nodes = done.map((node) => decoded.get(node) ?? decodeNode(node, model.source, model.limits));
  // What the file says of the shapes between was written for all branches at once.
  const proto = withFields(model.proto, {
    graph: withFields(graph, { node: [...apart, ...done], valueInfo: [] }),
  });
  return { model: { ...model, proto, nodes }, wanted, changed };
}

/** The nodes in place of one, where they are known. */
function replacement(node: NodeProto, known: Known, opset: number): NodeProto[] | undefined {
  if (node.domain !== "" && node.domain !== "ai.onnx") return undefined;
  // What a sequence holds is told once; its node stays for runs before all is replaced.
  if (node.output.some((name) => known.sequences.has(name))) return undefined;
  if (node.opType === "If") return takeBranch(node, known);
  if (node.opType === "Loop") return unrollLoop(node, known, opset);
  if (node.opType === "Scan") return unrollScan(node, known, opset);
  const elements = node.opType === "Identity" ? known.sequences.get(node.input[0] ?? "") : undefined;
  if (elements) known.sequences.set(node.output[0] ?? "", elements);
  return Object.hasOwn(sequenceRules, node.opType)
    ? sequenceRules[node.opType as (typeof sequenceOps)[number]](node, known, opset)
    : undefined;
}

/** The whole numbers of a Constant node; others decide nothing here. */
function constantOf(node: NodeProto, { source, limits }: Model): Tensor | undefined {
  if (node.opType !== "Constant") return undefined;
  const [attribute] = node.attribute;
  if (attribute?.name === "value" && attribute.t) return decodeTensor(attribute.t, source, limits);
  if (attribute?.name === "value_int") return int64([Number(attribute.i)], []);
  if (attribute?.name === "value_ints") return int64(attribute.ints.map(Number));
  return undefined;
}

/** The model without sequences that nobody reads any more. */
export function withoutSequences(model: Model, { sequences }: Pick<Findings, "sequences">): Model {
  const { graph } = model.proto;
  if (!graph || sequences.size === 0) return model;
  const read = new Set(graph.output.map(({ name }) => name));
  const kept = new Set<string>();
  for (const node of [...graph.node].reverse()) {
    if (node.output.some((name) => sequences.has(name)) && !node.output.some((name) => read.has(name)))
      continue;
    for (const name of readsOf(node)) read.add(name);
    kept.add(node.output.join());
  }
  const node = graph.node.filter(({ output }) => kept.has(output.join()));
  const nodes = model.nodes.filter(({ outputs }) => kept.has(outputs.join()));
  return { ...model, proto: withFields(model.proto, { graph: withFields(graph, { node }) }), nodes };
}

/** @throws when control flow or a sequence is left, which data decide: names the node and the remedy */
export function refuseStructure(
  { nodes, opset, source }: Model,
  { sequences }: Pick<Findings, "sequences">,
): void {
  const left = nodes.find((node) => isStructural(node) && !node.outputs.some((name) => sequences.has(name)));
  if (!left) return;
  throw new UnsupportedOpError(
    words`${source}: ${describeNode(left)} (domain 'ai.onnx', opset ${opset}): ${reasons[left.op] ?? sequenceReason}`,
    { source, node: nodeName(left), op: left.op, domain: left.domain },
  );
}

const staticReason = words`control flow is not supported where data decide it, because the derivative graph is one
  fixed computation. Export the model in eval mode with static control flow: trace it with fixed shapes, write branches
  on data with torch.where, and give loops a fixed number of iterations; an input that chooses can be filled with a
  number (${option("fill")}).`;

const reasons: Readonly<Record<string, Words>> = {
  If: words`its condition depends on data; ${staticReason}`,
  Loop: words`how often it runs depends on data, or it never runs; ${staticReason}`,
  Scan: words`it runs over a list of no elements; ${staticReason}`,
  SequenceMap: words`the length of its sequence depends on data; ${staticReason}`,
};

const sequenceReason =
  "sequences are not supported where data decide their lengths or positions. Export the model with tensors only: " +
  "torch.stack or torch.cat instead of lists, torch.split with fixed sizes.";
