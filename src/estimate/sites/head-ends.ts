/** Where local heads stand in a model, and what each reads of its block's end. */
import { localHeadName } from "../../ad/names.ts";
import { ModelError, SettingError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import type { Objective } from "../../objective/objective.ts";
import { type Graph, getValue, type Node, producers, type Value } from "../../onnx/graph.ts";
import type { GraphBuilder } from "../../ops/builder.ts";
import type { FoundSite } from "./found-sites.ts";

/** A head at the end of a block. */
export interface Head {
  /** The name of the value that it reads. */
  readonly value: string;
  /** The numbers that it reads of an example, or of each position. */
  readonly width: number;
  /** The numbers that it gives for each. */
  readonly outputs: number;
  /** Emits what it reads: [batch, width] or [batch, positions, width]. */
  emitFeatures(g: GraphBuilder, value: Value): Value;
}

/**
 * The heads of a model: one at the end of each block but the last, whose head is the model's own. A block that is affine, such as
 * an embedding of patches, learns with the next one: there is nothing in it that a linear head would not do itself.
 *
 * @throws SettingError where no block is left; ModelError where the model's output, or a block's end, has no form for a head
 */
export function headsAt(objective: Objective, sites: readonly FoundSite[]): readonly Head[] {
  const { graph, output } = objective;
  const order = new Map(
    graph.nodes.flatMap((node, index) => node.outputs.map((name) => [name, index] as const)),
  );
  const orderOf = ({ value }: FoundSite) => order.get(value) ?? 0;
  const end = order.get(output) ?? 0;
  const ends = sites.filter((site) => orderOf(site) < end).sort((a, b) => orderOf(a) - orderOf(b));
  const isEnd = new Set(ends.map(({ value }) => value));
  const curved = ends.filter(({ value }) => !isAffine(graph, value, isEnd));
  // What is affine behind the last of them is its head.
  const isEnded = curved.length > 1 && isAffine(graph, output, new Set(curved.map(({ value }) => value)));
  const own = isEnded ? curved.slice(0, -1) : curved;
  if (own.length > 0) return own.map((site) => headAt(objective, site));
  throw new SettingError(
    words`${option("perturb.localHeads", true)} needs two blocks or more, of which those before the last compute more than a linear map, and the
      ${sites.length} blocks of '${graph.name}' leave none; name the blocks (${option("perturb.pattern")}), or leave it out.`,
    { option: "perturb.localHeads" },
  );
}

/** Ops that make a block more than affine. */
const activationOps = new Set([
  ...[
    "Relu",
    "LeakyRelu",
    "PRelu",
    "Elu",
    "Selu",
    "Celu",
    "Gelu",
    "Erf",
    "Tanh",
    "Sigmoid",
    "Softplus",
    "Softsign",
  ],
  ...[
    "HardSigmoid",
    "HardSwish",
    "Mish",
    "Swish",
    "ThresholdedRelu",
    "Clip",
    "Exp",
    "Softmax",
    "Attention",
    "MaxPool",
    "Max",
  ],
  ...["LSTM", "GRU", "RNN", "LpPool", "Min", "Abs"],
]);

function isAffine(graph: Graph, end: string, borders: ReadonlySet<string>): boolean {
  const producerOf = producers(graph);
  const seen = new Set([end]);
  // A set that grows while it is read: each value is looked at once.
  for (const name of seen) {
    const node = name !== end && borders.has(name) ? undefined : producerOf.get(name);
    if (node && activationOps.has(node.op)) return false;
    for (const input of node?.inputs ?? []) seen.add(input);
  }
  return true;
}

function headAt({ graph, batch, output }: Objective, { value, layout, size }: FoundSite): Head {
  const { shape } = getValue(graph, value);
  const answer = getValue(graph, output).shape;
  const outputs = answer.at(-1) as number;
  const positions = answer.length === 3 ? (answer[1] as number) : 1;
  if (answer[0] !== batch || answer.length < 2 || answer.length > 3)
    throw unfit(
      `the output '${output}' has the shape [${answer.join(", ")}], expected [batch, numbers] or [batch, positions, numbers]`,
    );
  const isImage =
    shape.length > 3 || graph.nodes.some(({ op, outputs: own }) => op === "Conv" && own.includes(value));
  if (isImage) {
    if (shape[0] !== batch || positions > 1)
      throw unfit(
        `the block that ends at '${value}' has the shape [${shape.join(", ")}], and the output one answer for each position`,
      );
    const axes = shape.slice(2).map((_, axis) => axis + 2);
    // The mean over all pixels.
    const emitFeatures = (g: GraphBuilder, x: Value) => g.reduceMean(x, axes, { keepdims: 0 });
    return { value, width: shape[1] as number, outputs, emitFeatures };
  }
  const width = size % (shape.at(-1) as number) === 0 ? (shape.at(-1) as number) : size;
  const rows = size / width;
  if (positions > 1 && rows !== positions)
    throw unfit(
      `the block that ends at '${value}' has ${rows} positions, and the output '${output}' has ${positions}`,
    );
  return {
    value,
    width,
    outputs,
    emitFeatures(g, x) {
      const apart = g.reshape(x, [layout.outer, batch, layout.inner]);
      const own = g.reshape(g.transpose(apart, { perm: [1, 0, 2] }), [batch, rows, width]);
      return positions > 1 ? own : g.reduceMean(own, [1], { keepdims: 0 });
    },
  };
}

function unfit(why: string): ModelError {
  return new ModelError(
    words`${option("perturb.localHeads", true)} gives each block a linear head on [batch, …, numbers], and ${why}; leave it out, or choose
      other blocks (${option("perturb.pattern")}).`,
  );
}

/** The graph in which all that reads a block's end reads a copy of it, so that gradients can end there: `cut`. */
export function detachedGraph(
  graph: Graph,
  heads: readonly Head[],
): { readonly graph: Graph; readonly cut: ReadonlySet<string> } {
  const copies = new Map(heads.map(({ value }) => [value, localHeadName("detached", value)] as const));
  const nodes = graph.nodes.flatMap((node): Node[] => {
    const rewired = { ...node, inputs: node.inputs.map((name) => copies.get(name) ?? name) };
    const detaching = node.outputs.flatMap((name): Node[] => {
      const copy = copies.get(name);
      return copy === undefined
        ? []
        : [{ name: copy, domain: "", op: "Identity", inputs: [name], outputs: [copy], attributes: {} }];
    });
    return [rewired, ...detaching];
  });
  const values = new Map(graph.values);
  for (const [name, copy] of copies) values.set(copy, { ...getValue(graph, name), name: copy });
  return { graph: { ...graph, nodes, values }, cut: new Set(copies.values()) };
}
