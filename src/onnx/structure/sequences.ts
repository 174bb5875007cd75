/** Lists of tensors, which have no values in a graph of tensors: what they hold is followed by name. */

import type { NodeProto } from "onnx-buf";
import { int } from "../graph.ts";
import { int64, toNumbers } from "../tensor.ts";
import type { Known } from "./known.ts";
import type { sequenceOps } from "./structural-ops.ts";
import {
  constantNode,
  copies,
  inlineGraph,
  plainNode,
  stack,
  subgraph,
  wholeAttribute,
  withNumbers,
} from "./subgraphs.ts";

/** Nodes in place of one that reads or makes a sequence; undefined while its length or a position is not known. */
type Rule = (node: NodeProto, known: Known, opset: number) => NodeProto[] | undefined;

/** By op. A node that makes a sequence stays behind what makes its elements, until nobody reads it. */
export const sequenceRules: Readonly<Record<(typeof sequenceOps)[number], Rule>> = {
  SequenceEmpty: (node, known) => made(node, known, []),
  SequenceConstruct: (node, known) => made(node, known, node.input),
  SplitToSequence: (node, known, opset) => splitUp(node, known, opset),
  SequenceInsert: (node, known) => {
    const [sequence = "", tensor = "", position = ""] = node.input;
    const elements = known.sequences.get(sequence);
    const index = position === "" ? elements?.length : indexFrom(position, known, elements?.length, 1);
    return elements && index !== undefined
      ? made(node, known, elements.toSpliced(index, 0, tensor))
      : undefined;
  },
  SequenceErase: (node, known) => {
    const [sequence = "", position = ""] = node.input;
    const elements = known.sequences.get(sequence);
    if (!elements) return undefined;
    const index = position === "" ? elements.length - 1 : indexFrom(position, known, elements.length);
    return index === undefined ? undefined : made(node, known, elements.toSpliced(index, 1));
  },
  SequenceAt: (node, known) => {
    const [sequence = "", position = ""] = node.input;
    const elements = known.sequences.get(sequence);
    const index = indexFrom(position, known, elements?.length);
    const element = index === undefined ? undefined : elements?.[index];
    return element === undefined ? undefined : copies([element], node.output);
  },
  SequenceLength: (node, known) => {
    const elements = known.sequences.get(node.input[0] ?? "");
    return elements && [constantNode(node.output[0] ?? "", int64([elements.length], []))];
  },
  ConcatFromSequence: (node, known, opset) => {
    const elements = known.sequences.get(node.input[0] ?? "");
    if (!elements || elements.length === 0) return undefined;
    const [output = "", axis] = [node.output[0], wholeAttribute(node, "axis", 0)];
    return wholeAttribute(node, "new_axis", 0) === 1
      ? stack(elements, output, axis, opset)
      : [plainNode("Concat", elements, [output], { axis: int(axis) })];
  },
  SequenceMap: (node, known) => {
    const body = subgraph(node, "body");
    const first = known.sequences.get(node.input[0] ?? "");
    if (!body || !first) return undefined;
    const prefix = node.name || (node.output[0] ?? "");
    const turns = first.map((_, turn) => {
      const inputs = node.input.map((name) => known.sequences.get(name)?.[turn] ?? name);
      return inlineGraph(body, `${prefix}/${turn}`, inputs);
    });
    node.output.forEach((name, index) => {
      known.sequences.set(
        name,
        turns.map(({ results }) => results[index] as string),
      );
    });
    return [...turns.flatMap(({ nodes }) => nodes), node];
  },
};

/** Notes what the sequence that a node makes holds. */
function made(node: NodeProto, known: Known, elements: readonly string[]): NodeProto[] {
  known.sequences.set(node.output[0] ?? "", elements);
  return [node];
}

/** A position in a list of this length, counted from its end where negative; undefined where it is not known or outside. */
function indexFrom(
  position: string,
  known: Known,
  length: number | undefined,
  beyond = 0,
): number | undefined {
  const tensor = known.numbers(position);
  if (!tensor || length === undefined) return undefined;
  const [given = 0] = toNumbers(tensor);
  const index = given < 0 ? given + length : given;
  return index >= 0 && index < length + beyond ? index : undefined;
}

/**
 * Equal parts of the size that `split` gives, the last one perhaps smaller; parts of the sizes that it lists; or without
 * it parts of size 1, whose axis goes where keepdims is 0.
 */
function splitUp(node: NodeProto, known: Known, opset: number): NodeProto[] | undefined {
  const [data = "", split = ""] = node.input;
  const output = node.output[0] ?? "";
  const given = split === "" ? undefined : known.numbers(split);
  const shape = known.shape(data);
  if (!shape || (split !== "" && !given)) return undefined;
  const axis = wholeAttribute(node, "axis", 0);
  const size = shape.at(axis);
  if (size === undefined) return undefined;
  const sizes =
    given?.shape.length === 1 ? toNumbers(given) : partSizes(size, given ? Number(given.data[0]) : 1);
  if (!sizes || sizes.length === 0) return undefined;
  const parts = sizes.map((_, index) => `${output}/${index}`);
  const nodes = withNumbers("Split", data, parts, sizes, opset, { axis: int(axis) });
  if (split !== "" || wholeAttribute(node, "keepdims", 1) !== 0)
    return [...nodes, ...made(node, known, parts)];
  const squeezed = parts.map((part) => `${part}/squeezed`);
  const without = parts.flatMap((part, index) =>
    withNumbers("Squeeze", part, [squeezed[index] as string], [axis], opset),
  );
  return [...nodes, ...without, ...made(node, known, squeezed)];
}

function partSizes(size: number, part: number): number[] | undefined {
  if (!(part > 0)) return undefined;
  return Array.from({ length: Math.ceil(size / part) }, (_, index) => Math.min(part, size - index * part));
}
