/** Tangents of all parameters together. */
import { tangentFactorName, tangentName } from "../ad/names.ts";
import { elementCount, type Tensor } from "../onnx/tensor.ts";
import { callingThread, type Drawer } from "../random/drawer.ts";
import { stepStreams } from "../random/streams.ts";
import { fold, type Key } from "../random/threefry.ts";
import { rescale } from "./pieces.ts";
import type { Sampler } from "./sampler.ts";

/** Where the numbers of all tangents of one tensor, or of one factor of it, are. */
export interface TangentRange {
  /** The parameter they belong to. */
  readonly parameter: string;
  /** Whether they are the whole tangent or one of its two factors. */
  readonly role: "stacked" | "left" | "right";
  /** [k, ...shape], [k, rows, r] or [k, columns, r] */
  readonly shape: readonly number[];
  /** Index of the first number in the stream of one tangent. */
  readonly offset: number;
}

/** The numbers of all tangents of one tensor, or of one factor of it. */
export interface TangentPart extends TangentRange {
  /** Of the part's shape; `data` is written anew by `drawTangents`. */
  readonly tensor: Tensor & { readonly data: Float32Array };
}

/** k tangents of all parameters together: one direction in the space of n numbers each. */
export interface TangentSet {
  /** k, the number of tangents. */
  readonly count: number;
  /** n, the number of parameters. */
  readonly dimension: number;
  /** Where they come from. */
  readonly sampler: Sampler;
  /** Their numbers, by parameter and factor. */
  readonly parts: readonly TangentPart[];
}

/** A parameter's name and shape. */
export interface ParameterShape {
  /** Its name in the graph. */
  readonly name: string;
  /** Sizes of its axes. */
  readonly shape: readonly number[];
}

/** Where the numbers of k tangents of these parameters are. */
export function tangentParts(
  parameters: readonly ParameterShape[],
  count: number,
  sampler: Sampler,
): readonly TangentRange[] {
  const parts: TangentRange[] = [];
  let offset = 0;
  const add = (parameter: string, role: TangentPart["role"], shape: readonly number[]) => {
    parts.push({ parameter, role, offset, shape: [count, ...shape] });
    offset += elementCount(shape);
  };
  for (const { name, shape } of parameters) {
    const [rows = 1, ...rest] = shape;
    if (sampler.rank === undefined || shape.length < 2) add(name, "stacked", shape);
    else {
      add(name, "left", [rows, sampler.rank]);
      add(name, "right", [elementCount(rest), sampler.rank]);
    }
  }
  return parts;
}

/** Buffers for k tangents of these parameters. */
export function createTangentSet(
  parameters: readonly ParameterShape[],
  count: number,
  sampler: Sampler,
): TangentSet {
  const dimension = parameters.reduce((total, { shape }) => total + elementCount(shape), 0);
  const parts = tangentParts(parameters, count, sampler).map((part) => {
    const data = new Float32Array(elementCount(part.shape));
    return { ...part, tensor: { dtype: "float32", shape: part.shape, data } as const };
  });
  return { count, dimension, sampler, parts };
}

/** Name of the graph input that takes a part. */
export function tangentInputName({ parameter, role }: TangentRange): string {
  return role === "stacked" ? tangentName(parameter) : tangentFactorName(parameter, role);
}

/**
 * The parts by the names of the graph inputs that take them: `tangent/<parameter>` [k, ...shape], or `/left` [k, rows,
 * r] and `/right` [k, columns, r].
 */
export function tangentFeeds(set: TangentSet): Record<string, Tensor> {
  return Object.fromEntries(set.parts.map((part) => [tangentInputName(part), part.tensor]));
}

/**
 * Draws tangents first … first + count − 1 of one step into their buffers; by default all. Tangent i reads the stream
 * `fold(key, i)`, in the order of the parts.
 *
 * @param drawer what draws them; default: the calling thread
 * @param before how many tangents of the step stand before this set, which then holds others of it. Default 0
 */
export function drawTangents(
  set: TangentSet,
  key: Key,
  drawer: Drawer = callingThread,
  first = 0,
  count = set.count - first,
  before = 0,
): void {
  const { sampler, parts, dimension } = set;
  // Where tangents depend on those before them, these are drawn as well.
  const start = sampler.arrange ? 0 : first;
  const tangents = Array.from({ length: first + count - start }, (_, position) =>
    parts.map((part) => rowOf(part.tensor, start + position)),
  );
  drawer.draw(
    tangents.flatMap((rows, position) => {
      const stream = fold(key, before + start + position);
      return parts.map(({ role, offset }, index) => {
        // 1/√r goes into the left factor.
        const scale = role === "left" ? 1 / Math.sqrt(sampler.rank ?? 1) : 1;
        return { fill: sampler.fill, key: stream, start: offset, out: rows[index] as Float32Array, scale };
      });
    }),
  );
  if (sampler.radius) for (const rows of tangents) rescale(rows, sampler.radius(dimension));
  sampler.arrange?.(tangents, fold(key, stepStreams.arrangement));
}

/** Row i of a tensor [k, …], as a view. */
export function rowOf(
  tensor: { readonly shape: readonly number[]; readonly data: Float32Array },
  row: number,
) {
  const size = tensor.data.length / Math.max(tensor.shape[0] ?? 1, 1);
  return tensor.data.subarray(row * size, (row + 1) * size);
}
