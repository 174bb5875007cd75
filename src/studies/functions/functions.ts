/** Study: how far forward gradients get on closed-form functions. */
import * as z from "zod/mini";
import { type FunctionName, functions as testFunctions } from "../../functions/functions.ts";
import { methodKey, methodsOf } from "../methods.ts";
import { count, some } from "../rules.ts";
import type { Study, Unit } from "../study.ts";
import { bestCharts, curveCharts } from "./charts.ts";
import { measurePaths, pathCharts } from "./paths.ts";
import { functionsSource } from "./reference.ts";
import {
  type Cell,
  measureCell,
  patience,
  runColumns,
  type ScalableFunction,
  scalableFunction,
  stepLimits,
} from "./runs.ts";
import { functionTables, functionVerdicts, summarizeRuns, summaryRunColumns } from "./summary.ts";

export type FunctionsSettings = {
  functions: ScalableFunction[];
  dimensions: number[];
  tangents: number[];
  seeds: number;
  curveDimension: number;
  paths: FunctionName[];
};

const scalable = Object.keys(stepLimits) as [ScalableFunction, ...ScalableFunction[]];
const all = Object.keys(testFunctions) as [FunctionName, ...FunctionName[]];
const largest = 1024;
/** The learning rates are known for these numbers of coordinates and of tangents. */
const dimension = count(1).check(
  z.maximum(largest),
  z.refine((n) => Number.isInteger(Math.log2(n)), {
    error: "Expected a power of 2, for which a learning rate is known.",
  }),
);
const tangents = z.union([z.literal(1), z.literal(2), z.literal(4), z.literal(16)]);

/** Section 4.2: do more tangents get closer to a minimum in the same number of steps? */
export const functions: Study<FunctionsSettings> = {
  name: "functions",
  title: "Minimizing closed-form functions: how far do forward gradients get?",
  source: "Flügel et al., Beyond Backpropagation (arXiv 2410.17764), section 4.2",
  claim:
    "More tangents get closer to the minimum in the same number of steps. Combined by orthogonal projection they reach what " +
    "their mean reaches or better, most clearly where there are nearly as many tangents as coordinates.",
  equation: [
    "x ← x − η ĝ,  ĝ = Vᵀ c,  d = V ∇f(x);  mean: c = d/k,  projection: c = (V Vᵀ)⁺ d",
    ...scalable.map((name) => testFunctions[name].formula.replace("f(x)", testFunctions[name].title)),
  ],
  method:
    "Plain gradient descent from the paper's starts (sphere −1, …, −1; Rosenbrock −1, 0, …, 0; Styblinski-Tang 0, …, 0) with " +
    "the learning rates that the authors' search found, Gaussian tangents, all in float64. A run stops after " +
    `${Object.entries(stepLimits)
      .map(
        ([name, steps]) => `${steps.toLocaleString("en")} (${testFunctions[name as ScalableFunction].title})`,
      )
      .join(
        ", ",
      )} steps, or after ${patience} in a row without a lower value, and counts with its lowest value.`,
  settings: {
    functions: some(z.enum(scalable)).check(z.describe(`functions to minimize: ${scalable.join(", ")}`)),
    dimensions: some(dimension).check(z.describe("n, numbers of coordinates: powers of 2 up to 1,024")),
    tangents: some(tangents).check(z.describe("k, numbers of tangents: 1, 2, 4, 16")),
    seeds: count(1).check(z.describe("runs of each method, with the seeds from 0")),
    curveDimension: count(0).check(z.describe("n whose values over the steps are kept; 0: none")),
    paths: z.array(z.enum(all)).check(z.describe("functions of two numbers whose paths are drawn")),
  },
  full: {
    functions: scalable,
    dimensions: Array.from({ length: 11 }, (_, power) => 2 ** power),
    tangents: [1, 2, 4, 16],
    seeds: 5,
    curveDimension: 64,
    paths: all,
  },
  quick: {
    functions: scalable,
    dimensions: [1, 4, 16, 64, 256],
    tangents: [1, 2, 4, 16],
    seeds: 5,
    curveDimension: 64,
    paths: all,
  },
  quickLeavesOut:
    "Left out: every other n, and n = 1,024. Every verdict is decided all the same but that of Rosenbrock, for which the authors' results " +
    "are not known.",
  tiny: {
    functions: ["sphere", "styblinski-tang"],
    dimensions: [1, 16],
    tangents: [1, 4],
    seeds: 2,
    curveDimension: 16,
    paths: ["beale"],
  },
  columns: runColumns,
  summaryColumns: summaryRunColumns,

  plan: (settings) => [
    ...settings.functions.flatMap((name) => {
      const fn = scalableFunction(name);
      return settings.dimensions
        .filter((n) => n >= fn.dimensions.least)
        .flatMap((n) => methodsOf(settings.tangents).map((method) => runUnit(settings, { fn, n, method })));
    }),
    ...settings.paths.map((name): Unit => {
      const fn = testFunctions[name];
      return {
        key: `path=${name}`,
        cost: fn.view.steps / 1000,
        measure: (environment) => measurePaths(environment, fn, 0),
      };
    }),
  ],

  summarize: summarizeRuns,
  charts: ({ rows, summary }) => [...bestCharts(summary), ...curveCharts(rows), ...pathCharts(rows)],
  tables: ({ summary }) => functionTables(summary),
  verdicts: ({ summary, settings }) => functionVerdicts(summary, settings.seeds),

  notes: ({ functions: names }) => [
    `Diamonds and values in brackets: ${functionsSource}. Values are compared where float32 resolves them. A seed gives the authors' code the same random numbers for every n and k, so that an unusual draw shows in several of their cells.`,
    ...(names.includes("rosenbrock")
      ? [
          "Rosenbrock has no sum and no gradient at n = 1, where the authors list a learning rate all the same; it begins at n = 2 here. Their results for it were not available.",
        ]
      : []),
  ],
};

function runUnit(settings: FunctionsSettings, cell: Cell): Unit {
  const { fn, n, method } = cell;
  const steps = stepLimits[fn.name as ScalableFunction];
  const seeds = Array.from({ length: settings.seeds }, (_, seed) => seed);
  return {
    key: `function=${fn.name}/n=${n}/${methodKey(method)}`,
    // Numbers drawn, and what a step costs besides.
    cost: (steps * seeds.length * (n * (0.2 + method.k) + 40)) / 1e6,
    measure: (environment) => measureCell(environment, cell, seeds, steps, n === settings.curveDimension),
  };
}
