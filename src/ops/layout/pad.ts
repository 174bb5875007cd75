/** Values added around a value, or cut off from it. */
import { formatShape, string, type Value } from "../../onnx/graph.ts";
import { nodeError } from "../../onnx/node-error.ts";
import { elementCount, int64 } from "../../onnx/tensor.ts";
import type { Emitter } from "../emitter.ts";
import type { Op } from "../op.ts";
import { broadcastTangent, only, output, reshape, sum, tangentCount, zerosLike } from "../rules.ts";
import { arange, normalizeAxis, required, requiredConstant, sizeOf } from "../shapes.ts";
import { intsAttribute, type NodeView, stringAttribute } from "../view.ts";

/** Places added in front of and behind an axis; taken away where they are negative. */
interface Padding {
  readonly before: number;
  readonly behind: number;
}

/** d pad(x, c) = pad(dx, dc) */
export const Pad: Op = {
  shape: (node) => {
    const { dtype, shape } = required(node, 0);
    const paddings = paddingsOf(node);
    const padded = shape.map((size, axis) => {
      const { before, behind } = paddings[axis] as Padding;
      return size + before + behind;
    });
    return [{ dtype, shape: padded }];
  },
  defaults: { mode: string("constant") },
  jvp: (g, node, [dx, , dc]) => {
    const x = required(node, 0);
    const paddings = paddingsOf(node);
    const mode = stringAttribute(node.node, "mode", "constant");
    const terms: Value[] = [];
    if (dx) {
      const pads = padsList([{ before: 0, behind: 0 }, ...paddings]);
      terms.push(g.pad(broadcastTangent(g, dx, x), pads, { mode }));
    }
    if (dc && mode === "constant") {
      const isAdded = g.pad(zerosLike(g, x), padsList(paddings), 1);
      terms.push(g.mul(reshape(g, dc, [tangentCount(dc), ...x.shape.map(() => 1)]), isAdded));
    }
    return [broadcastTangent(g, sum(g, terms), output(node))];
  },
  transpose: (g, node, cotangents) => {
    const mode = stringAttribute(node.node, "mode", "constant");
    const paddings = paddingsOf(node);
    if (mode === "constant") {
      const removed = paddings.map(({ before, behind }) => ({ before: -before, behind: -behind }));
      return g.pad(only(cotangents), padsList(removed));
    }
    return paddings.reduce((cotangent, padding, axis) => {
      const size = sizeOf(required(node, 0), axis);
      return addAtSources(g, cotangent, axis, size, sourceIndices(mode, size, padding));
    }, only(cotangents));
  },
};

/** The middle of each axis: cut where the axis is too long, surrounded by zeros where it is too short. */
export const CenterCropPad: Op = {
  shape: (node) => {
    const { dtype, shape } = required(node, 0);
    const paddings = centerPaddings(node);
    return [{ dtype, shape: shape.map((size, axis) => size + both(paddings[axis])) }];
  },
  lower: (g, node) => [g.pad(required(node, 0), padsList(centerPaddings(node)))],
};

function both(padding: Padding | undefined): number {
  return padding ? padding.before + padding.behind : 0;
}

function centerPaddings(node: NodeView): Padding[] {
  const { shape } = required(node, 0);
  const targets = requiredConstant(node, 1, "shape");
  const axes = (intsAttribute(node.node, "axes") ?? shape.map((_, axis) => axis)).map((axis) =>
    normalizeAxis(axis, shape.length, node),
  );
  if (axes.length !== targets.length) {
    throw nodeError(
      node.node,
      `received ${targets.length} sizes for the axes ${formatShape(axes)} of ` +
        `${formatShape(shape)}; expected one for each.`,
    );
  }
  return shape.map((size, axis) => {
    const target = targets[axes.indexOf(axis)] ?? size;
    const before = Math.trunc((target - size) / 2);
    return { before, behind: target - size - before };
  });
}

function padsList(paddings: readonly Padding[]): number[] {
  return [...paddings.map(({ before }) => before), ...paddings.map(({ behind }) => behind)];
}

/** One padding for each axis of the input. */
function paddingsOf(node: NodeView): Padding[] {
  const { shape } = required(node, 0);
  const pads = requiredConstant(node, 1, "pads");
  const listed = node.inputs[3] ? requiredConstant(node, 3, "axes") : shape.map((_, axis) => axis);
  if (pads.length !== 2 * listed.length) {
    throw nodeError(
      node.node,
      `received ${pads.length} pads for the axes ${formatShape(listed)} of its input ` +
        `${formatShape(shape)}; expected ${2 * listed.length}, those in front of each axis and then those behind.`,
    );
  }
  const axes = listed.map((axis) => normalizeAxis(axis, shape.length, node));
  return shape.map((_, axis) => {
    const index = axes.indexOf(axis);
    return index < 0
      ? { before: 0, behind: 0 }
      : { before: pads[index] as number, behind: pads[index + axes.length] as number };
  });
}

/** Which position of the input each position of the output repeats. Negative padding cuts first; the rest is then repeated. */
function sourceIndices(mode: string, size: number, { before, behind }: Padding): number[] {
  const first = Math.max(0, -before);
  const count = size - first - Math.max(0, -behind);
  const modulo = (index: number, period: number) => ((index % period) + period) % period;
  const source = (index: number) => {
    if (mode === "edge") return Math.min(Math.max(index, 0), count - 1);
    if (mode === "wrap") return modulo(index, count);
    const period = Math.max(1, 2 * (count - 1));
    const folded = modulo(index, period);
    return Math.min(folded, period - folded);
  };
  return arange(size + before + behind).map((index) => first + source(index - Math.max(0, before)));
}

/** The transpose of repeating positions along an axis: what stands at copies of the same position adds up there. */
function addAtSources(
  g: Emitter,
  cotangent: Value,
  axis: number,
  size: number,
  sources: readonly number[],
): Value {
  const shape = cotangent.shape.with(axis, size);
  if (sources.length === size && sources.every((source, index) => source === index)) return cotangent;
  const flat = [elementCount(shape.slice(0, axis)), sources.length, elementCount(shape.slice(axis + 1))];
  const indices = g.expand(g.constant(int64(sources, [1, sources.length, 1])), flat);
  const zero = zerosLike(g, { dtype: cotangent.dtype, shape: flat.with(1, size) });
  const added = g.scatterElements(zero, indices, reshape(g, cotangent, flat), { axis: 1, reduction: "add" });
  return reshape(g, added, shape);
}
