/** What a closed-form function is, and the sums that several of them share. */
import { SettingError } from "../errors/errors.ts";
import type { Value } from "../onnx/graph.ts";
import type { GraphBuilder } from "../ops/builder.ts";

/** A point where the function is smallest, and how small it is there. */
export interface Minimum {
  /** The point, [n]. */
  readonly at: Float64Array;
  /** The function's value there. */
  readonly value: number;
}

/** How the function of two numbers is shown: the part of the plane, and a path that tells something in it. */
export interface FunctionView {
  /** Ends of the first axis. */
  readonly x: readonly [number, number];
  /** Ends of the second axis. */
  readonly y: readonly [number, number];
  /** Where the path begins. */
  readonly start: readonly [number, number];
  /** Steps of the path. */
  readonly steps: number;
  /** Learning rates for descending along the exact gradient, and along estimates of it. */
  readonly learningRates: { readonly exact: number; readonly estimate: number };
}

/**
 * A closed-form function to minimize, twice over: as an ONNX graph, whose derivatives come from the library's own rules,
 * and as a formula with its gradient in float64, because a run of the smallest graph costs more than a whole step of
 * the formula. Tests hold the two to each other.
 */
export interface TestFunction {
  /** Name in lists and on the command line: "styblinski-tang". */
  readonly name: string;
  /** Its name in reports: "Styblinski-Tang". */
  readonly title: string;
  /** In Unicode: "f(x) = Σ xⱼ²". */
  readonly formula: string;
  /** Where the function comes from. */
  readonly source: string;
  /** The numbers n of coordinates that it takes. */
  readonly dimensions: { readonly least: number; readonly most: number };
  /** Where the paper's experiments start in n dimensions: [n]. */
  start(n: number): Float64Array;
  /** A global minimum in n dimensions; undefined where the function has none. */
  minimum(n: number): Minimum | undefined;
  /**
   * f(x) for x [n]; writes ∇f(x) into `gradient` [n] where it is given. Singular points follow PyTorch, unless the
   * function says so.
   */
  evaluate(x: Float64Array, gradient?: Float64Array): number;
  /** Emits f(x), a scalar, from x [n]. */
  build(g: GraphBuilder, x: Value): Value;
  /** How a report draws it. */
  readonly view: FunctionView;
}

/** Dimensions of a function of exactly two numbers. */
export const planar = { least: 2, most: 2 } as const;

/** @throws when the function does not take n coordinates */
export function requireDimension({ name, dimensions: { least, most } }: TestFunction, n: number): void {
  if (Number.isSafeInteger(n) && n >= least && n <= most) return;
  const range = least === most ? `exactly ${least}` : `${least} or more`;
  throw new SettingError(
    `The function '${name}' takes ${range} coordinates, received n = ${n}; choose n ${least === most ? "=" : "≥"} ${least}.`,
    { option: "n" },
  );
}

/** The two coordinates of x [2], as [1] each. */
export function coordinates(g: GraphBuilder, x: Value): [Value, Value] {
  return [g.slice(x, [0], [1]), g.slice(x, [1], [2])];
}

/** Σ of all elements of a vector, a scalar. */
export function total(g: GraphBuilder, vector: Value): Value {
  return g.reduceSum(vector, [0], { keepdims: 0 });
}

/** Σ of terms of one shape. */
export function addAll(g: GraphBuilder, first: Value, ...others: readonly (Value | number)[]): Value {
  return others.reduce<Value>((sum, term) => g.add(sum, term), first);
}

/** The coordinate at a place that is inside the array. */
export function at(x: Float64Array, index: number): number {
  return x[index] as number;
}
