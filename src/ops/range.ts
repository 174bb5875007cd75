/** What is known of numbers before they are computed, by interval arithmetic. */
import type { Node, Value } from "../onnx/graph.ts";
import { type DType, elementCount, isFloat, type Tensor } from "../onnx/tensor.ts";

/**
 * What is known of a value's numbers before they are computed (interval arithmetic): all of them lie from `low` to `high`.
 * It decides where a derivative may be infinite, so that rules guard there and nowhere else.
 */
export interface Range {
  /** None is less. */
  readonly low: number;
  /** None is more. */
  readonly high: number;
  /** Whether some may be NaN. */
  readonly nan?: boolean;
  /** Whether they follow element by element from data that are fed, which may hold the −∞ of a mask. */
  readonly fed?: boolean;
}

/** What a range rule sees of a node, as the shape rules do. */
interface RangedNode {
  readonly node: Node;
  readonly inputs: readonly (Value | undefined)[];
  constant(index: number): Tensor | undefined;
}

/** The range of a node's outputs from those of its inputs. */
export type RangeRule = (input: (index: number) => Range, node: RangedNode) => Range;

/**
 * Stands for "any number of ordinary size" at the ends of ranges. Sums and products of ordinary numbers count as ordinary:
 * that a model overflows is not foreseen here.
 */
const ordinary = 2 ** 99;

/** Stands for an infinite derivative: small enough that ordinary numbers times it are finite, and 0 times it is 0. */
export function hugeNumber(dtype: DType): number {
  return dtype === "float64" ? 2 ** 1016 : 2 ** 120;
}

export const anyNumber: Range = { low: -ordinary, high: ordinary };
export const anything: Range = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY, nan: true };

export const from = (low: number, high: number): Range => ({ low, high });

/** Whether numbers of this range may be infinite, or overflow when an ordinary number multiplies them. */
export function mayBeInfinite({ low, high }: Range, dtype: DType): boolean {
  return Math.max(-low, high) > hugeNumber(dtype);
}

/** Whether a derivative in this range may stand for an infinite one. */
export function mayBeHuge(range: Range): boolean {
  return range.nan === true || Math.max(-range.low, range.high) > ordinary;
}

const marks = (...ranges: Range[]) => ({
  nan: ranges.some(({ nan }) => nan),
  fed: ranges.some(({ fed }) => fed),
});

/** The smallest range that contains all of these. */
export function hull(...ranges: readonly Range[]): Range {
  if (ranges.length === 0) return anyNumber;
  return {
    low: Math.min(...ranges.map(({ low }) => low)),
    high: Math.max(...ranges.map(({ high }) => high)),
    ...marks(...ranges),
  };
}

/** An end of a sum or product, kept as large as the larger operand where one of them is ordinary. */
function settle(end: number, a: number, b: number): number {
  const [small, large] = [Math.min(Math.abs(a), Math.abs(b)), Math.max(Math.abs(a), Math.abs(b))];
  if (small > ordinary) return end === 0 ? 0 : Math.sign(end) * Number.POSITIVE_INFINITY;
  const limit = Math.max(ordinary, large);
  return Math.min(Math.max(end, -limit), limit);
}

export function plus(a: Range, b: Range): Range {
  const isCancelled =
    (a.high === Number.POSITIVE_INFINITY && b.low === Number.NEGATIVE_INFINITY) ||
    (a.low === Number.NEGATIVE_INFINITY && b.high === Number.POSITIVE_INFINITY);
  const known = marks(a, b);
  const low = a.low + b.low;
  const high = a.high + b.high;
  return {
    low: Number.isNaN(low) ? Number.NEGATIVE_INFINITY : clampSum(low, a.low, b.low),
    high: Number.isNaN(high) ? Number.POSITIVE_INFINITY : clampSum(high, a.high, b.high),
    ...known,
    nan: known.nan || isCancelled,
  };
}

function clampSum(end: number, a: number, b: number): number {
  const limit = Math.max(ordinary, Math.abs(a), Math.abs(b));
  return Math.min(Math.max(end, -limit), limit);
}

export function negative(a: Range): Range {
  return { ...a, low: -a.high, high: -a.low };
}

export function times(a: Range, b: Range): Range {
  const ends = [a.low, a.high].flatMap((x) =>
    [b.low, b.high].map((y) => (x === 0 || y === 0 ? 0 : settle(x * y, x, y))),
  );
  const known = marks(a, b);
  const isUndefined = (hasZero(a) && isUnlimited(b)) || (hasZero(b) && isUnlimited(a));
  return { low: Math.min(...ends), high: Math.max(...ends), ...known, nan: known.nan || isUndefined };
}

/** Of a number times itself. */
export function square(a: Range): Range {
  const product = times(a, a);
  return { ...product, low: hasZero(a) ? 0 : Math.min(a.low ** 2, a.high ** 2), nan: a.nan };
}

export function reciprocal(a: Range): Range {
  if (a.low > 0 || a.high < 0) return { ...a, low: 1 / a.high, high: 1 / a.low };
  return {
    ...a,
    low: a.low < 0 ? Number.NEGATIVE_INFINITY : 0,
    high: Number.POSITIVE_INFINITY,
  };
}

export function quotient(a: Range, b: Range): Range {
  const result = times(a, reciprocal(b));
  const isUndefined = (hasZero(a) && hasZero(b)) || (isUnlimited(a) && isUnlimited(b));
  return { ...result, nan: a.nan || b.nan || isUndefined };
}

function hasZero({ low, high }: Range): boolean {
  return low <= 0 && high >= 0;
}

function isUnlimited({ low, high }: Range): boolean {
  return low === Number.NEGATIVE_INFINITY || high === Number.POSITIVE_INFINITY;
}

/** Of a function that grows everywhere, given on this domain; NaN outside. */
export function growing(f: (x: number) => number, domain: Range = anything): RangeRule {
  return (input) => {
    const x = input(0);
    const low = Math.fround(f(Math.max(x.low, domain.low)));
    const high = f(Math.min(x.high, domain.high));
    const isOutside = x.low < domain.low || x.high > domain.high;
    return {
      ...x,
      low,
      high: high > 1e38 && x.high < high ? Number.POSITIVE_INFINITY : high,
      nan: x.nan || isOutside,
    };
  };
}

/** Of a function with bounded values. */
export function bounded(low: number, high: number): RangeRule {
  return (input) => ({ ...input(0), low, high });
}

/** Of xᵖ for a known exponent. */
export function power(x: Range, p: number): Range {
  const ends = [x.low ** p, x.high ** p];
  if (x.low > 0)
    return { ...x, low: Math.min(...ends), high: settle(Math.max(...ends), 1, Math.max(...ends)) };
  if (p === 2) return square(x);
  const isWhole = Number.isInteger(p);
  const low = x.low >= 0 || (isWhole && p % 2 === 0) ? 0 : anyNumber.low;
  const nan = x.nan || (x.low < 0 && !isWhole);
  if (p < 0) return { ...anything, low: low === 0 ? 0 : anything.low, nan, fed: x.fed };
  return isUnlimited(x)
    ? { ...anything, low: low === 0 ? 0 : anything.low, nan, fed: x.fed }
    : { ...anyNumber, low, nan, fed: x.fed };
}

/** The range of ops that say nothing of their own. */
export const unchanged: RangeRule = (input, node) =>
  hull(...node.inputs.flatMap((value, index) => (value && isFloat(value.dtype) ? [input(index)] : [])));

/** Of ops whose values are about as large as their inputs. */
export const ordinaryIfInputsAre: RangeRule = (input, node) => {
  const { low, high, nan, fed } = unchanged(input, node);
  const size = Math.max(-low, high);
  if (nan || size > hugeNumber("float64")) return { ...anything, fed };
  const limit = Math.max(size, ordinary);
  return { low: -limit, high: limit, fed };
};

/** Of products that mix whole rows: one NaN has spread there so far that nothing is left to guard. */
export const mixed: RangeRule = (input, node) => {
  const isHuge = node.inputs.some((value, index) => value && isFloat(value.dtype) && mayBeHuge(input(index)));
  return isHuge ? from(-hugeNumber("float32"), hugeNumber("float32")) : anyNumber;
};

/** Where a range comes from. */
export interface RangeSource {
  producer(name: string): { readonly view: RangedNode; readonly rule?: RangeRule } | undefined;
  constantOf(value: Value): Tensor | undefined;
  /** Whether the value is an input that is fed with data. */
  isData(name: string): boolean;
}

/** Numbers up to which a constant is looked through. */
const mostConstants = 2 ** 20;

/** The range of a value; `known` remembers what was found. */
export function rangeOf(value: Value, source: RangeSource, known: Map<string, Range>): Range {
  const before = known.get(value.name);
  if (before) return before;
  const range = computeRange(value, source, known);
  known.set(value.name, range);
  return range;
}

function computeRange(value: Value, source: RangeSource, known: Map<string, Range>): Range {
  if (value.dtype === "bool") return from(0, 1);
  if (!isFloat(value.dtype)) return anyNumber;
  const constant = source.constantOf(value);
  if (constant) return elementCount(constant.shape) > mostConstants ? anyNumber : rangeOfNumbers(constant);
  const produced = source.producer(value.name);
  if (!produced) return source.isData(value.name) ? { ...anyNumber, fed: true } : anyNumber;
  const { view, rule = ordinaryIfInputsAre } = produced;
  return rule((index) => {
    const input = view.inputs[index];
    return input ? rangeOf(input, source, known) : anyNumber;
  }, view);
}

function rangeOfNumbers({ data, dtype }: Tensor): Range {
  if (dtype !== "float32" && dtype !== "float64") return anyNumber;
  let [low, high, nan] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, false];
  for (const number of data as Float32Array) {
    if (number < low) low = number;
    if (number > high) high = number;
    if (Number.isNaN(number)) nan = true;
  }
  return low > high ? { ...anyNumber, nan } : { low, high, nan };
}
