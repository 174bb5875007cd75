/** Rotations of pairs of numbers by angles that follow from positions. */
import type { Value } from "../../onnx/graph.ts";
import type { Emitter } from "../emitter.ts";
import { reshape } from "../rules.ts";
import { sizeOf } from "../shapes.ts";

/**
 * (a, b) ↦ (a cos − b sin, b cos + a sin) for pairs of the last axis, of which as many are rotated as the tables have
 * columns: neighbours (`interleaved`), or numbers of the first and the second half.
 *
 * @param x [batch, heads, length, size]
 * @param positions [batch or 1, length], rows of the tables [positions, pairs]
 */
export function rotated(
  g: Emitter,
  x: Value,
  positions: Value,
  cosine: Value,
  sine: Value,
  interleaved: boolean,
): Value {
  const [batch = 0, heads = 0, length = 0, size = 0] = x.shape;
  const pairs = sizeOf(cosine, 1);
  const rest = size - 2 * pairs;
  const [turned, kept] = rest > 0 ? g.split(x, [2 * pairs, rest], { axis: -1 }) : [x];
  if (!turned) return x;
  const angles = (table: Value) => {
    const rows = g.gather(table, positions);
    return reshape(g, rows, [sizeOf(rows, 0), 1, length, pairs]);
  };
  const [cos, sin] = [angles(cosine), angles(sine)];
  const shape = [batch, heads, length, pairs];
  const inPairs = interleaved ? reshape(g, turned, [...shape, 2]) : turned;
  const [a, b] = g
    .split(inPairs, interleaved ? [1, 1] : [pairs, pairs], { axis: -1 })
    .map((part) => reshape(g, part, shape)) as [Value, Value];
  const parts = [g.sub(g.mul(a, cos), g.mul(b, sin)), g.add(g.mul(b, cos), g.mul(a, sin))];
  const joined = interleaved
    ? reshape(
        g,
        g.concat(...(parts.map((part) => reshape(g, part, [...shape, 1])) as [Value, Value]), { axis: -1 }),
        [...shape.slice(0, 3), 2 * pairs],
      )
    : g.concat(...(parts as [Value, Value]), { axis: -1 });
  return kept ? g.concat(joined, kept, { axis: -1 }) : joined;
}
