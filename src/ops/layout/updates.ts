/** What is asked of the updates of a scatter: which reduction, whether some meet, and which of those stays. */
import type { Value } from "../../onnx/graph.ts";
import { elementCount, int64, toNumbers } from "../../onnx/tensor.ts";
import type { Emitter } from "../emitter.ts";
import { zerosLike } from "../rules.ts";
import { arange, required } from "../shapes.ts";
import { type ComputedNode, type NodeView, stringAttribute } from "../view.ts";

/**
 * Which updates of a scatter are not overwritten by a later one: they are numbered, and the numbers scattered in their
 * stead and looked up again.
 *
 * @param scatter puts the numbers where the updates go
 * @param lookUp reads them at the same indices
 */
export function lastOnes(
  g: Emitter,
  node: ComputedNode,
  scatter: (numbers: Value) => Value,
  lookUp: (winners: Value) => Value,
): Value {
  const { shape } = required(node, 2);
  const numbers = g.constant(int64(arange(elementCount(shape)), shape));
  return g.equal(lookUp(scatter(numbers)), numbers);
}

export function integersLike(g: Emitter, { shape }: Value): Value {
  return zerosLike(g, { dtype: "int64", shape });
}

/** Whether it is known before running that no two updates of a scatter meet; `axis` is that of ScatterElements. */
export function areDistinct(node: NodeView, axis?: number): boolean {
  const indices = node.constant(1);
  if (!indices) return false;
  const { shape } = required(node, 0);
  const numbers = toNumbers(indices);
  const wrap = (index: number, along: number) => (index < 0 ? index + (shape[along] as number) : index);
  const targets =
    axis === undefined
      ? arange(numbers.length / Math.max(1, indices.shape.at(-1) ?? 1)).map((row) => {
          const depth = indices.shape.at(-1) ?? 0;
          return numbers
            .slice(row * depth, (row + 1) * depth)
            .map(wrap)
            .join();
        })
      : numbers.map((index, position) => {
          const after = elementCount(indices.shape.slice(axis + 1));
          const along = indices.shape[axis] as number;
          return `${Math.floor(position / (after * along))},${wrap(index, axis)},${position % after}`;
        });
  return new Set(targets).size === targets.length;
}

/** Shape rule: the output is like the data, which the updates do not change. */
export function likeData(node: NodeView) {
  const { dtype, shape } = required(node, 0);
  return [{ dtype, shape }];
}

export function reductionOf(node: ComputedNode): string {
  return stringAttribute(node.node, "reduction", "none");
}
