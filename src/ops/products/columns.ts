/** Images as columns, one for each window and example, which make convolutions products of two matrices. */
import type { Value } from "../../onnx/graph.ts";
import { elementCount } from "../../onnx/tensor.ts";
import type { Emitter } from "../emitter.ts";
import { reshape, transpose } from "../rules.ts";
import { arange, sizeOf } from "../shapes.ts";
import type { SlidingWindow } from "./sliding-windows.ts";

/** Numbers that are written out at once; what is more comes in parts. */
const most = 2 ** 20;

/** Which position each window meets at each of its taps, or transposed, which window meets each position there. */
export interface Meetings {
  /** [taps × results]: the position read, or `positions` where there is none. */
  readonly read: readonly number[];
  readonly taps: number;
  readonly results: number;
  /** How many positions there are to be read. */
  readonly positions: number;
}

/** Windows that read an image. */
export function windowMeetings(windows: readonly SlidingWindow[]): Meetings {
  return meetings(windows, ({ stride, dilation, before, input, output, size }) => ({
    size,
    results: output,
    positions: input,
    read: (tap, result) => result * stride + tap * dilation - before,
  }));
}

/** Positions of an image that read the windows that they lie in. */
export function transposedMeetings(windows: readonly SlidingWindow[]): Meetings {
  return meetings(windows, ({ stride, dilation, before, input, output, size }) => ({
    size,
    results: input,
    positions: output,
    read: (tap, result) => (result + before - tap * dilation) / stride,
  }));
}

/** Windows without the taps at their ends that meet nothing but padding. */
export interface MetTaps {
  readonly windows: readonly SlidingWindow[];
  /** Which of all taps those are. */
  readonly met: readonly number[];
  /** How many there were. */
  readonly taps: number;
}

export function metTaps(all: readonly SlidingWindow[]): MetTaps {
  const ends = all.map(({ size, dilation, stride, before, input, output }) => {
    const isMet = (tap: number) =>
      arange(output).some((result) => {
        const position = result * stride + tap * dilation - before;
        return position >= 0 && position < input;
      });
    const met = arange(size).filter(isMet);
    return { first: met[0] ?? 0, last: met.at(-1) ?? size - 1 };
  });
  const windows = all.map((given, axis) => {
    const { first, last } = ends[axis] as (typeof ends)[number];
    return { ...given, size: last - first + 1, before: given.before - first * given.dilation };
  });
  const met = windows.reduce<number[]>(
    (outer, { size }, axis) => {
      const first = ends[axis]?.first ?? 0;
      const before = all[axis]?.size ?? 1;
      return outer.flatMap((row) => arange(size).map((tap) => row * before + first + tap));
    },
    [0],
  );
  return { windows, met, taps: elementCount(all.map(({ size }) => size)) };
}

interface AxisMeetings {
  readonly size: number;
  readonly results: number;
  readonly positions: number;
  readonly read: (tap: number, result: number) => number;
}

function meetings(
  windows: readonly SlidingWindow[],
  along: (window: SlidingWindow) => AxisMeetings,
): Meetings {
  const axes = windows.map(along);
  const product = (measure: (axis: AxisMeetings) => number) => elementCount(axes.map(measure));
  const positions = product((axis) => axis.positions);
  // [taps][results], NaN where nothing is read, axis by axis.
  const joined = axes.reduce<number[][]>(
    (outer, axis) =>
      outer.flatMap((row) =>
        arange(axis.size).map((tap) =>
          row.flatMap((before) =>
            arange(axis.results).map((result) => {
              const position = axis.read(tap, result);
              const isThere = Number.isInteger(position) && position >= 0 && position < axis.positions;
              return isThere ? before * axis.positions + position : Number.NaN;
            }),
          ),
        ),
      ),
    [[0]],
  );
  return {
    read: joined.flat().map((position) => (Number.isNaN(position) ? positions : position)),
    taps: product((axis) => axis.size),
    results: product((axis) => axis.results),
    positions,
  };
}

/** The batch behind everything else, so that what windows read moves in one piece: [batch, channels, …] → [channels, positions, batch] */
export function batchLast(g: Emitter, x: Value): Value {
  const [batch = 0, channels = 0, ...spatial] = x.shape;
  const positions = elementCount(spatial);
  const rows = transpose(g, reshape(g, x, [batch, channels * positions]), [1, 0]);
  return reshape(g, rows, [channels, positions, batch]);
}

/** The way back from `batchLast`: [channels × positions × batch] → [batch, channels, …] */
export function batchFirst(g: Emitter, x: Value, shape: readonly number[]): Value {
  const [batch = 0, ...rest] = shape;
  return reshape(g, transpose(g, reshape(g, x, [elementCount(rest), batch]), [1, 0]), shape);
}

/** Some taps of all windows of an image: `emit` gives [channels × (last − first), results × batch]. */
interface Part {
  readonly first: number;
  readonly last: number;
  readonly emit: () => Value;
}

/** The columns of an image [batch, channels, …] in as many parts as keep each of them small. */
function columns(g: Emitter, x: Value, { read, taps, results, positions }: Meetings): Part[] {
  const [batch = 0, channels = 0] = x.shape;
  const image = batchLast(g, x);
  const isImage = taps * results === positions && read.every((position, index) => position === index);
  if (isImage)
    return [{ first: 0, last: taps, emit: () => reshape(g, image, [channels * taps, results * batch]) }];
  // One more position, of zeros, where nothing is read.
  const source = read.includes(positions) ? g.pad(image, [0, 0, 0, 0, 1, 0]) : image;
  const count = Math.max(1, Math.floor(most / Math.max(1, channels * results * batch)));
  return arange(Math.ceil(taps / count)).map((part) => {
    const [first, last] = [part * count, Math.min(taps, (part + 1) * count)];
    return {
      first,
      last,
      emit: () => {
        const chosen = g.gather(source, read.slice(first * results, last * results), { axis: 1 });
        return reshape(g, chosen, [channels * (last - first), results * batch]);
      },
    };
  });
}

/**
 * b[f] + Σ over channels c and taps w of kernels[f, c, w] x[n, c, read(w, o)] for each example n and result o.
 *
 * @param kernels [filters, channels, …taps]
 * @param x [batch, channels, …positions]
 * @param bias [filters]
 * @returns [batch, filters, …], of this shape
 */
export function convolved(
  g: Emitter,
  kernels: Value,
  x: Value,
  where: Meetings,
  shape: readonly number[],
  bias?: Value,
): Value {
  const [filters = 0, channels = 0] = kernels.shape;
  const flat = reshape(g, kernels, [filters, channels, where.taps]);
  const total = columns(g, x, where).reduce<Value | undefined>(
    (before, { first, last, emit }) => {
      const isWhole = last - first === where.taps;
      const chosen = isWhole ? flat : g.slice(flat, [first], [last], [2]);
      const rows = reshape(g, chosen, [filters, channels * (last - first)]);
      return before ? g.gemm(rows, emit(), before) : g.gemm(rows, emit());
    },
    bias && reshape(g, bias, [filters, 1]),
  );
  return batchFirst(g, total as Value, shape);
}

/**
 * Σ over examples n and results o of y[n, f, o] x[n, c, read(w, o)] for each filter f, channel c and tap w.
 *
 * @param y [batch, filters, …results]
 * @param x [batch, channels, …positions]
 * @returns [filters, channels, …], of this shape
 */
export function correlated(g: Emitter, y: Value, x: Value, where: Meetings, shape: readonly number[]): Value {
  const [filters = 0, channels = 0] = shape;
  const rows = reshape(g, batchLast(g, y), [filters, where.results * sizeOf(y, 0)]);
  const parts = columns(g, x, where).map(({ first, last, emit }) =>
    reshape(g, g.gemm(rows, emit(), { transB: 1 }), [filters, channels, last - first]),
  );
  return reshape(g, parts.length === 1 ? (parts[0] as Value) : g.concat(...parts, { axis: 2 }), shape);
}
