/** Runs of the study of closed-form functions, and their rows. */
import { functions } from "../../functions/functions.ts";
import type { TestFunction } from "../../functions/test-function.ts";
import type { Column, Environment, Row } from "../study.ts";
import { type Descent, type DescentOptions, type GradientMethod, startDescent } from "./optimize.ts";
import { functionLearningRate } from "./reference.ts";

/** The three functions of any dimension that the paper minimizes, and its limits of steps. */
export const stepLimits = { sphere: 1000, rosenbrock: 25_000, "styblinski-tang": 1000 } as const;

export type ScalableFunction = keyof typeof stepLimits;

/** Steps in a row without a lower value after which a run stops. */
export const patience = 50;

/** What tells one method from another, in either CSV file. */
export const methodColumns: readonly Column[] = [
  { name: "function", kind: "text", description: "name of the function" },
  { name: "n", kind: "number", description: "number of coordinates" },
  {
    name: "gradient",
    kind: "text",
    description: "exact, or how the derivatives along tangents are combined",
  },
  { name: "k", kind: "number", description: "number of tangents; 0 for the exact gradient" },
];

/** Columns of results.csv: runs, and points on the way of some of them. */
export const runColumns: readonly Column[] = [
  {
    name: "kind",
    kind: "text",
    description: "run: a whole run; curve: the value after a step of it; path: a point in the plane",
  },
  ...methodColumns,
  { name: "seed", kind: "number", description: "decides the tangents" },
  { name: "learning_rate", kind: "number", description: "factor of the estimate in each step" },
  { name: "step", kind: "number", description: "number of steps done, of curves and paths", optional: true },
  { name: "value", kind: "number", description: "f there, of curves and paths", optional: true },
  { name: "x", kind: "number", description: "first coordinate, of paths", optional: true },
  { name: "y", kind: "number", description: "second coordinate, of paths", optional: true },
  { name: "best", kind: "number", description: "lowest value of the run", optional: true },
  { name: "last", kind: "number", description: "value at its end", optional: true },
  { name: "steps", kind: "number", description: "steps of the run", optional: true },
  { name: "seconds", kind: "number", description: "time of the run", optional: true },
  {
    name: "ending",
    kind: "text",
    description: `why the run ended: steps (all done), patience (${patience} in a row without a lower value), diverged (not finite)`,
    optional: true,
  },
];

/** One method on one function of some dimension. */
export interface Cell {
  readonly fn: TestFunction;
  readonly n: number;
  readonly method: GradientMethod;
}

export function cellRow({ fn, n, method }: Cell): Row {
  return { function: fn.name, n, gradient: method.gradient, k: method.k };
}

/** Steps after which a curve has a point: 0, and about eight for each doubling of the number of steps. */
export function curveSteps(limit: number): readonly number[] {
  const steps = new Set([0]);
  for (let step = 1; step < limit; step = Math.max(step + 1, Math.round(step * 2 ** (1 / 4))))
    steps.add(step);
  return [...steps, limit];
}

/**
 * Runs a cell with each seed: one row a run, and those of its curve where it is wanted; undefined when stopped.
 * @param steps most steps
 */
export async function measureCell(
  environment: Environment,
  cell: Cell,
  seeds: readonly number[],
  steps: number,
  hasCurve: boolean,
): Promise<readonly Row[] | undefined> {
  const { fn, n, method } = cell;
  const learningRate = functionLearningRate(fn.name, n, method);
  const rows: Row[] = [];
  for (const seed of seeds) {
    const common = { ...cellRow(cell), seed, learning_rate: learningRate };
    const curve: Row[] = [];
    const run = await follow(
      environment,
      { fn, n, method, learningRate, steps, patience, seed },
      hasCurve ? curveSteps(steps) : [],
      ({ steps: step, value }) => curve.push({ kind: "curve", ...common, step, value }),
    );
    if (!run) return undefined;
    const { descent, seconds } = run;
    rows.push({
      kind: "run",
      ...common,
      best: descent.best,
      last: descent.value,
      steps: descent.steps,
      seconds,
      ending: descent.ending,
    });
    rows.push(...curve);
    environment.advance((seed - (seeds[0] ?? 0) + 1) / seeds.length);
  }
  return rows;
}

/**
 * Runs a descent to its end, in portions between which the host sees signals.
 *
 * @param marks steps, ascending, at which `onMark` is called if the descent gets there
 * @returns undefined when stopped; the seconds are those of the descent alone
 */
export async function follow(
  { signal }: Pick<Environment, "signal">,
  options: DescentOptions,
  marks: readonly number[],
  onMark: (descent: Descent) => void,
): Promise<{ readonly descent: Descent; readonly seconds: number } | undefined> {
  const descent = startDescent(options);
  // About 5 ms of numbers.
  const portion = Math.max(1, Math.floor(2 ** 18 / (options.n * (1 + options.method.k))));
  let next = 0;
  let milliseconds = 0;
  let goesOn = true;
  let rested = performance.now();
  while (goesOn) {
    if (marks[next] === descent.steps) {
      onMark(descent);
      next += 1;
    }
    const began = performance.now();
    goesOn = descent.advance(Math.min(portion, (marks[next] ?? Number.POSITIVE_INFINITY) - descent.steps));
    const now = performance.now();
    milliseconds += now - began;
    if (now - rested < 50) continue;
    await new Promise((resume) => setTimeout(resume));
    if (signal.aborted) return undefined;
    rested = now;
  }
  if (marks[next] === descent.steps) onMark(descent);
  return { descent, seconds: milliseconds / 1000 };
}

/** The scalable function of this name. */
export function scalableFunction(name: ScalableFunction): TestFunction {
  return functions[name];
}
