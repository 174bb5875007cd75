/** Final activations that a loss contains, and values inside of a model that a loss reads. */
import { create } from "@bufbuild/protobuf";
import { option, type Words, words } from "../errors/words.ts";
import type { Loss } from "../losses/loss.ts";
import { encodeNode } from "../onnx/encode.ts";
import { describeNode, type Node, producers } from "../onnx/graph.ts";
import { withFields } from "../onnx/messages/message.ts";
import { ValueInfoProtoSchema } from "../onnx/messages/schemas.ts";
import type { Model } from "../onnx/read-model.ts";
import { elementCount } from "../onnx/tensor.ts";

/** An activation that ends a model's output, and that the loss contains: the loss reads the value before it. */
export interface FinalActivation {
  /**
   * Copies of the nodes from the activation, an Identity here, to the output: what they compute has the output's shape, and
   * the last of them is what the loss reads.
   */
  readonly copies: readonly Node[];
  /**
   * The value that the loss reads instead of the output; undefined where the activation does not do what the loss does.
   *
   * @param shapeOf shape of a value that `copies` compute
   * @param classAxis axis of the classes in the output; undefined where the loss has none
   */
  valueBefore(
    shapeOf: (name: string) => readonly number[],
    classAxis: number | undefined,
  ): string | undefined;
}

/** What a loss reads of a model. */
export interface LossOutput {
  /** The model with what the loss reads among its outputs; it shares all numbers. */
  readonly model: Model;
  readonly activation: FinalActivation | undefined;
  /** What is worth saying about it, in sentences. */
  readonly notes: readonly Words[];
}

/** How a model ends. */
export interface ModelEnd {
  /** The last node that is no op of `passing`, if a node computes the output. */
  readonly node: Node | undefined;
  /** The nodes from there to the output. */
  readonly behind: readonly Node[];
}

const activations = new Set(["Softmax", "LogSoftmax", "Sigmoid"]);

/** What the loss reads of a model that ends in an activation, or of which it reads a value inside. */
export function readEnd(
  model: Model,
  loss: Loss,
  asked: { readonly output: string; readonly isChosen: boolean },
  end: ModelEnd,
): LossOutput {
  const found = finalActivation(producers(model), loss, asked, end);
  return { ...found, model: withLossOutput(model, asked.output, found.activation) };
}

function finalActivation(
  computedBy: ReadonlyMap<string, Node>,
  loss: Loss,
  { output, isChosen }: { readonly output: string; readonly isChosen: boolean },
  { node, behind }: ModelEnd,
): Omit<LossOutput, "model"> {
  if (node?.domain !== "") return { activation: undefined, notes: [] };
  if (node.op === "Concat")
    return { activation: undefined, notes: pairNotes(node, computedBy, loss, output) };
  if (!activations.has(node.op)) return { activation: undefined, notes: [] };
  const { op, inputs } = node;
  const ends = `'${output}' ends in ${op} (${describeNode(node)})`;
  if (!loss.contains?.includes(op)) {
    const isRead = loss.contains !== undefined;
    const note = words`${ends}, and ${loss.name} takes it as it is, as logits. ${betterLoss[op] ?? ""}`;
    return { activation: undefined, notes: isRead ? [note] : [] };
  }
  if (isChosen) {
    const note = words`${ends}, which ${loss.name} contains, and is read as it is, because it was chosen
      (${option("output")}). Name no output, or '${inputs[0]}', to train the value before the ${op}.`;
    return { activation: undefined, notes: [note] };
  }
  const renamed = new Map(
    [...behind, node].flatMap(({ outputs: [name = ""] }) => [[name, `${name} before ${op}`]]),
  );
  const copies = [{ ...node, op: "Identity", attributes: {} }, ...behind].map((each) => ({
    ...each,
    name: each.name && `${each.name} before ${op}`,
    inputs: each.inputs.map((name) => renamed.get(name) ?? name),
    outputs: each.outputs.map((name) => renamed.get(name) ?? name),
  }));
  const note = words`${ends}, which ${loss.name} contains: the loss reads the value before it, '${inputs[0]}'. The
    saved file keeps the ${op}. Choose an output to have it read as it is (${option("output", output)}).`;
  const before = copies.at(-1)?.outputs[0];
  const activation: FinalActivation = {
    copies,
    valueBefore: (shapeOf, classAxis) => (isContained(node, copies, shapeOf, classAxis) ? before : undefined),
  };
  return { activation, notes: [note] };
}

/** Says that an output joins 1 − σ(x) and σ(x), as classifiers of two classes do: no loss takes the two for what they are. */
function pairNotes(
  { inputs: [rest = "", one = ""] }: Node,
  computedBy: ReadonlyMap<string, Node>,
  loss: Loss,
  output: string,
): Words[] {
  const [complement, sigmoid] = [computedBy.get(rest), computedBy.get(one)];
  const isPair = sigmoid?.op === "Sigmoid" && complement?.op === "Sub" && complement.inputs[1] === one;
  if (!isPair || loss.contains === undefined) return [];
  return [
    words`'${output}' joins 1 − p and p of ${describeNode(sigmoid)}, and ${loss.name} takes them as they are, as
      logits. Train the value before the Sigmoid: ${option("output", sigmoid.inputs[0] ?? null)},
      ${option("loss", "binary-cross-entropy")}, with targets 0 and 1.`,
  ];
}

const betterLoss: Readonly<Record<string, Words>> = {
  Sigmoid: words`For outputs that are classes of their own, use ${option("loss", "binary-cross-entropy")} with targets
    from 0 to 1.`,
  Softmax: words`For one class an example, use ${option("loss", "cross-entropy")} with class numbers.`,
  LogSoftmax: words`For one class an example, use ${option("loss", "cross-entropy")} with class numbers.`,
};

/**
 * Whether an activation does what the loss does: it normalizes over the classes, wherever the nodes behind it have moved
 * them.
 */
function isContained(
  node: Node,
  copies: readonly Node[],
  shapeOf: (name: string) => readonly number[],
  classAxis: number | undefined,
): boolean {
  if (classAxis === undefined) return true;
  const shapes = copies.map(({ outputs: [name = ""] }) => shapeOf(name));
  const rank = shapes[0]?.length ?? 0;
  const given = node.attributes.axis?.type === "int" ? node.attributes.axis.value : -1;
  let axis = given < 0 ? given + rank : given;
  for (const [index, { op, attributes }] of copies.entries()) {
    const [before, after] = [shapes[index - 1], shapes[index]];
    if (!before || !after) continue;
    const order =
      attributes.perm?.type === "ints" ? attributes.perm.value : before.map((_, at) => rank - 1 - at);
    axis = op === "Transpose" ? order.indexOf(axis) : axisAfter(before, after, axis);
    if (axis === -1) return false;
  }
  return axis === classAxis;
}

/** Where an axis lies after a reshape; −1 where it is no axis of its own any more. */
function axisAfter(before: readonly number[], after: readonly number[], axis: number): number {
  const outer = elementCount(before.slice(0, axis));
  return after.findIndex((size, at) => size === before[axis] && elementCount(after.slice(0, at)) === outer);
}

/** The model with further nodes, and further values as outputs; it shares all numbers. */
function withOutputs(model: Model, names: readonly string[], nodes: readonly Node[] = []): Model {
  const { graph } = model.proto;
  const output = names.map((name) => create(ValueInfoProtoSchema, { name }));
  const more = graph && {
    node: [...graph.node, ...nodes.map(encodeNode)],
    output: [...graph.output, ...output],
  };
  return {
    ...model,
    proto: withFields(model.proto, { graph: more && withFields(graph, more) }),
    nodes: [...model.nodes, ...nodes],
    outputs: [
      ...model.outputs,
      ...names.map((name) => ({ name, dtype: "float32", dimensions: [] }) as const),
    ],
  };
}

/** The model with what the loss reads among its outputs. */
function withLossOutput(model: Model, output: string, activation: FinalActivation | undefined): Model {
  if (activation) {
    const { copies } = activation;
    return withOutputs(
      model,
      copies.flatMap(({ outputs }) => outputs),
      copies,
    );
  }
  // Any value that a node computes may be read.
  const isComputed = model.nodes.some(({ outputs }) => outputs.includes(output));
  return !isComputed || model.outputs.some(({ name }) => name === output)
    ? model
    : withOutputs(model, [output]);
}
