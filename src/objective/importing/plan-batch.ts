import { ModelError } from "../../errors/errors.ts";
import { words } from "../../errors/words.ts";
import { describeNode, formatShape, type Graph, type Node, nodeName, type Value } from "../../onnx/graph.ts";
import type { BatchPlan, Repetition } from "../../onnx/rebatch.ts";
import { elementCount, type Tensor } from "../../onnx/tensor.ts";
import { type FurtherOps, opOf } from "../../ops/find-op.ts";

interface Batches {
  readonly from: number;
  readonly to: number;
}

/** A plan as far as it goes. */
interface Draft {
  readonly shapes: Map<string, readonly number[]>;
  readonly sizes: Map<string, readonly number[]>;
  readonly repeated: Map<string, ReadonlyMap<number, Repetition>>;
  /** Where the batch shares an axis with something slower, such as positions: how many of that there are, by value. */
  readonly slower: Map<string, number>;
}

/** So many sizes that can be read in several ways are tried. */
const mostTries = 200;

/**
 * Follows the batch through a graph that was probed at one size, and plans what has to change for another: sizes that the
 * export made constant. What sizes do not tell, because a batch of 1 looks like no batch, is a guess that the ops' shape rules
 * check, and whoever uses a plan compares results. Plans come with the likeliest guesses first.
 *
 * @param inputs those whose first axis is the batch
 * @throws where there is no plan: names the node that the best one got to
 */
export function* planBatch(
  graph: Graph,
  inputs: ReadonlySet<string>,
  batches: Batches,
  further: FurtherOps = {},
): Generator<BatchPlan, void> {
  const shapes = new Map<string, readonly number[]>();
  for (const { name, shape } of graph.inputs)
    if (inputs.has(name)) shapes.set(name, shape.with(0, batches.to));
  const drafts: { readonly draft: Draft; readonly start: number }[] = [
    { draft: { shapes, sizes: new Map(), repeated: new Map(), slower: new Map() }, start: 0 },
  ];
  let planned = false;
  let furthest: { readonly index: number; readonly error: unknown } | undefined;
  for (let tries = 0; tries < mostTries; tries++) {
    const next = drafts.pop();
    if (!next) break;
    const { draft } = next;
    let index = next.start;
    try {
      for (; index < graph.nodes.length; index++) {
        const others = planNode(graph, graph.nodes[index] as Node, draft, batches, further);
        for (const other of others.reverse()) drafts.push({ draft: other, start: index + 1 });
      }
      planned = true;
      yield draft;
    } catch (error) {
      if (!furthest || index > furthest.index) furthest = { index, error };
    }
  }
  if (!planned && furthest) throw furthest.error;
}

/** Plans one node, and returns the drafts that read its sizes in other ways. */
function planNode(graph: Graph, node: Node, draft: Draft, batches: Batches, further: FurtherOps): Draft[] {
  const { shapes, sizes, repeated, slower } = draft;
  const before = (name: string) => graph.values.get(name)?.shape ?? [];
  const now = (name: string) => shapes.get(name) ?? before(name);
  const hasBatch = (name: string) => formatShape(now(name)) !== formatShape(before(name));
  const [first = ""] = node.outputs;
  const [data = ""] = node.inputs;
  const repeats = repeatedInputs(node, now, hasBatch, batches);
  if (repeats.size > 0) repeated.set(first, repeats);
  const withBatch = node.inputs.find((name) => name !== "" && hasBatch(name));
  if (node.op === "Reshape" && hasBatch(data)) {
    const [choice, ...others] = reshaped(
      node,
      before(data),
      now(data),
      before(first),
      slower.get(data) ?? 1,
      batches,
    );
    const take = (into: Draft, { size, shared }: Choice) => {
      into.sizes.set(first, size);
      into.shapes.set(first, size);
      into.slower.set(first, shared);
      return into;
    };
    const drafts = others.map((other) => take(copyOf(draft), other));
    if (choice) take(draft, choice);
    return drafts;
  }
  if (
    (node.op === "Expand" || node.op === "ConstantOfShape") &&
    before(first)[0] === batches.from &&
    batches.from > 1
  ) {
    const size = before(first).with(0, batches.to);
    sizes.set(first, size);
    shapes.set(first, size);
  } else if (withBatch !== undefined) {
    const shapeOf = (index: number) => repeats.get(index)?.shape ?? now(node.inputs[index] ?? "");
    outputShapes(graph, node, shapeOf, further).forEach((shape, index) => {
      const name = node.outputs[index];
      if (!name) return;
      shapes.set(name, shape);
      slower.set(name, slower.get(withBatch) ?? 1);
    });
  }
  return [];
}

function copyOf({ shapes, sizes, repeated, slower }: Draft): Draft {
  return {
    shapes: new Map(shapes),
    sizes: new Map(sizes),
    repeated: new Map(repeated),
    slower: new Map(slower),
  };
}

/** Shapes of a node's outputs, by its op's own rule. */
function outputShapes(
  graph: Graph,
  node: Node,
  shapeOf: (index: number) => readonly number[],
  further: FurtherOps,
): (readonly number[])[] {
  const op = opOf(node, graph.opset, further);
  const own = new Map<string, Tensor>();
  const constant = (tensor: Tensor) => {
    const name = `constant ${own.size} of ${node.outputs[0]}`;
    own.set(name, tensor);
    return name;
  };
  const upgraded = op.upgrade?.(node, graph.opset, constant) ?? node;
  const tensorOf = (name: string) => graph.initializers.get(name) ?? own.get(name);
  const values = upgraded.inputs.map((name, index): Value | undefined => {
    if (name === "") return undefined;
    const added = own.get(name);
    if (added) return { name, dtype: added.dtype, shape: added.shape };
    const value = graph.values.get(name);
    return value && { ...value, shape: shapeOf(index) };
  });
  try {
    return op
      .shape({ node: upgraded, inputs: values, constant: (index) => tensorOf(upgraded.inputs[index] ?? "") })
      .map(({ shape }) => shape);
  } catch (cause) {
    throw new ModelError(words`${describeNode(node)} (${cause})`, {
      node: nodeName(node),
      cause,
    });
  }
}

/** Inputs of recurrent layers that are states, one for each example. */
const states: Readonly<Record<string, readonly number[]>> = { LSTM: [5, 6], GRU: [5], RNN: [5] };

/** Inputs without a batch, beside others with one, that have to be repeated for each example. */
function repeatedInputs(
  node: Node,
  now: (name: string) => readonly number[],
  hasBatch: (name: string) => boolean,
  { from, to }: Batches,
): Map<number, Repetition> {
  const result = new Map<number, Repetition>();
  const withBatch = node.inputs.find((name) => name !== "" && hasBatch(name));
  if (withBatch === undefined) return result;
  const wanted = node.op === "Concat" ? node.inputs.map((_, index) => index) : (states[node.op] ?? []);
  for (const index of wanted) {
    const name = node.inputs[index] ?? "";
    if (name === "" || hasBatch(name)) continue;
    const shape = now(name);
    const layout = node.attributes.layout;
    const axis =
      node.op === "Concat"
        ? now(withBatch).findIndex((size, position) => size === to && shape[position] === from)
        : layout?.type === "int" && layout.value === 1
          ? 0
          : 1;
    if (axis >= 0 && shape[axis] === from)
      result.set(index, { axis, rows: from, shape: shape.with(axis, to) });
  }
  return result;
}

/** A way to read a Reshape's sizes. */
interface Choice {
  readonly size: readonly number[];
  /** How many of something slower share the batch's axis. */
  readonly shared: number;
}

/**
 * The sizes that a Reshape can give: the batch keeps what is slower than it, in axes before its own or in its own. An axis
 * of the batch's size is likelier than one that it shares with something faster, and that than one shared with something slower.
 *
 * @param shared how many of something slower share the batch's axis in the input
 */
function reshaped(
  node: Node,
  old: readonly number[],
  input: readonly number[],
  output: readonly number[],
  shared: number,
  { from, to }: Batches,
): Choice[] {
  const index = input.findIndex((size, axis) => size !== old[axis]);
  const slower = elementCount(old.slice(0, index)) * shared;
  const choices = output.flatMap((size, axis) => {
    const own = slower / elementCount(output.slice(0, axis));
    if (!Number.isInteger(own) || size === 0 || size % (own * from) !== 0) return [];
    return [
      { size: output.with(axis, (size * to) / from), shared: own, rank: own > 1 ? 2 : size === from ? 0 : 1 },
    ];
  });
  const fitting = choices.filter(({ size }) => elementCount(size) === elementCount(input));
  if (fitting.length > 0) return fitting.sort((a, b) => a.rank - b.rank);
  throw new ModelError(
    `${describeNode(node)}, whose sizes ${formatShape(output)} leave no axis for another batch in ${formatShape(input)}`,
    { node: nodeName(node) },
  );
}
