/** Study: what dependence between tangents costs a whole optimization. */
import * as z from "zod/mini";
import type { Chart } from "../../charts/chart.ts";
import { type Point, panelChart } from "../../charts/charts.ts";
import { SettingError } from "../../errors/errors.ts";
import { functions } from "../../functions/functions.ts";
import { gapOf, rangesOverlap } from "../functions/comparison.ts";
import type { GradientMethod } from "../functions/optimize.ts";
import { angleReference, anglesFunctionsSource, functionLearningRate } from "../functions/reference.ts";
import { follow, patience, stepLimits } from "../functions/runs.ts";
import { seedsVerdict } from "../functions/summary.ts";
import { methodIn, methodName } from "../methods.ts";
import { count, some } from "../rules.ts";
import { groupBy, numberIn } from "../statistics.ts";
import type { Column, Environment, Results, Row, Study, Unit, Verdict } from "../study.ts";
import { undecided, verdictOf } from "../verdict.ts";
import { whole } from "../wording.ts";

export type AnglesFunctionsSettings = { angles: number[]; tangents: number[]; seeds: number };

/** Where the authors' learning rates hold. */
const fn = functions["styblinski-tang"];
const dimension = 64;
const steps = stepLimits["styblinski-tang"];
const gradients = ["mean", "projection"] as const;

const cellColumns: readonly Column[] = [
  { name: "angle", kind: "number", description: "degrees between the first tangent and each of the others" },
  { name: "gradient", kind: "text", description: "how the derivatives along tangents are combined" },
  { name: "k", kind: "number", description: "number of tangents" },
  { name: "learning_rate", kind: "number", description: "factor of the estimate in each step" },
];

/** Section 4.3: do tangents that lie close together hurt a whole optimization? */
export const anglesFunctions: Study<AnglesFunctionsSettings> = {
  name: "angles-functions",
  title: "Tangents at an angle: does dependence between tangents keep a descent from the minimum?",
  source: "Flügel et al., Beyond Backpropagation (arXiv 2410.17764), section 4.3",
  claim:
    "The closer the tangents lie together, the worse the values that their mean reaches. Orthogonal projection reaches the " +
    "global minimum at every angle.",
  equation: [
    fn.formula.replace("f(x)", fn.title),
    "v₁ uniform on the unit sphere,  vᵢ = cos α · v₁ + sin α · oᵢ,  oᵢ ⟂ v₁ uniform, ‖oᵢ‖ = 1",
    "x ← x − η ĝ,  ĝ = Vᵀ c,  d = V ∇f(x);  mean: c = d/k,  projection: c = (V Vᵀ)⁺ d",
  ],
  method:
    `Plain gradient descent on Styblinski-Tang in ${dimension} dimensions from 0, …, 0, for ${steps.toLocaleString("en")} steps or until ` +
    `${patience} in a row did not lower the value, with the learning rates that the authors' search found, in float64.`,
  settings: {
    angles: some(z.union([15, 30, 45, 60, 75, 90].map((angle) => z.literal(angle)))).check(
      z.describe("degrees between the first tangent and each of the others: 15, 30, 45, 60, 75, 90"),
    ),
    tangents: some(z.union([z.literal(16), z.literal(64)])).check(
      z.describe("k, numbers of tangents: 16, 64"),
    ),
    seeds: count(1).check(z.describe("runs of each method, with the seeds from 0")),
  },
  full: { angles: [15, 30, 45, 60, 75, 90], tangents: [16, 64], seeds: 5 },
  quick: { angles: [15, 30, 45, 60, 75, 90], tangents: [16, 64], seeds: 5 },
  quickLeavesOut: "Nothing is left out: the paper's settings take seconds.",
  tiny: { angles: [15, 90], tangents: [16], seeds: 2 },
  columns: [
    ...cellColumns,
    { name: "seed", kind: "number", description: "decides the tangents" },
    { name: "best", kind: "number", description: "lowest value of the run" },
    { name: "last", kind: "number", description: "value at its end" },
    { name: "steps", kind: "number", description: "steps of the run" },
    { name: "seconds", kind: "number", description: "time of the run" },
    { name: "ending", kind: "text", description: "why the run ended: steps, patience or diverged" },
  ],
  summaryColumns: [
    ...cellColumns,
    { name: "seeds", kind: "number", description: "runs" },
    { name: "best_min", kind: "number", description: "lowest value of the best seed" },
    { name: "best_mean", kind: "number", description: "mean over the seeds of the lowest value" },
    { name: "best_max", kind: "number", description: "lowest value of the worst seed" },
    { name: "reference_mean", kind: "number", description: "the authors' mean" },
    { name: "agrees", kind: "text", description: "yes or no: whether the two ranges over the seeds overlap" },
  ],

  plan: ({ angles, tangents, seeds }) =>
    angles.flatMap((angle) =>
      gradients.flatMap((gradient) => tangents.map((k) => unitOf({ gradient, k, angle }, seeds))),
    ),

  summarize: (rows) =>
    groupBy(rows, ["angle", "gradient", "k"]).map((group) => {
      const first = group[0] as Row;
      const best = group.map((row) => numberIn(row, "best"));
      const reference = angleReference(angledMethodIn(first));
      if (!reference)
        throw new SettingError(
          `No result of the authors for ${methodName(methodIn(first))}; choose their settings.`,
          { option: "settings" },
        );
      return {
        ...Object.fromEntries(cellColumns.map(({ name }) => [name, first[name]])),
        seeds: group.length,
        best_min: Math.min(...best),
        best_mean: best.reduce((sum, value) => sum + value, 0) / best.length,
        best_max: Math.max(...best),
        reference_mean: reference.mean,
        agrees: rangesOverlap(fn.name, dimension, best, reference) ? "yes" : "no",
      };
    }),

  charts: (results) => [chartOf(results)],
  verdicts: (results) => [
    projectionVerdict(results.summary),
    meanVerdict(results),
    seedsVerdict("The results are those of the authors' code", results.summary, results.settings.seeds),
  ],
  notes: () => [`Diamonds: ${anglesFunctionsSource}.`],
};

function unitOf(method: GradientMethod, seeds: number): Unit {
  const { gradient, k, angle = 0 } = method;
  return {
    key: `angle=${angle}/${gradient}=${k}`,
    cost: k,
    async measure(environment: Environment) {
      const rows: Row[] = [];
      const learningRate = functionLearningRate(fn.name, dimension, method);
      for (let seed = 0; seed < seeds; seed++) {
        const options = { fn, n: dimension, method, learningRate, steps, patience, seed };
        const run = await follow(environment, options, [], () => {});
        if (!run) return undefined;
        const { best, value: last, steps: done, ending } = run.descent;
        const common = { angle, gradient, k, learning_rate: learningRate, seed };
        rows.push({ ...common, best, last, steps: done, seconds: run.seconds, ending });
        environment.advance((seed + 1) / seeds);
      }
      return rows;
    },
  };
}

function chartOf({ summary, settings }: Results<AnglesFunctionsSettings>): Chart {
  const panel = (row: Row) => `${row.k} tangents`;
  const perCoordinate = (row: Row, name: string) => numberIn(row, name) / dimension;
  const points = summary.flatMap((row): Point[] => {
    const position = { x: numberIn(row, "angle"), series: String(row.gradient), panel: panel(row) };
    return [
      {
        ...{ ...position, kind: "measured", y: perCoordinate(row, "best_mean") },
        ...{ low: perCoordinate(row, "best_min"), high: perCoordinate(row, "best_max") },
      },
      { ...position, kind: "reference", y: perCoordinate(row, "reference_mean") },
    ];
  });
  return {
    name: "best",
    title: "Lowest value over the angle",
    caption:
      "Means over the seeds, and the range of the seeds as a bar. A coordinate ends at −39.17 in the deeper valley and at " +
      "−25.03 in the other.",
    spec: (width) =>
      panelChart(
        {
          points,
          x: { title: "angle to the first tangent (degrees)", ticks: settings.angles },
          y: { title: "value for each coordinate" },
          series: { title: "combined by", values: gradients },
          panels: settings.tangents.map((k) => `${k} tangents`),
          joined: true,
        },
        width,
      ),
  };
}

function projectionVerdict(summary: readonly Row[]): Verdict {
  const cells = summary.filter(({ gradient }) => gradient === "projection");
  // Less than one coordinate of all runs in the wrong valley.
  const reached = cells.filter((row) => gapOf(fn.name, dimension, numberIn(row, "best_max")) < 1);
  return verdictOf({
    statement: "Projection reaches the global minimum at every angle",
    holds: reached.length === cells.length,
    reason: {
      fault: "paper",
      why: "with the learning rates of the authors' search, some draws of the tangents end in the other valley",
    },
    evidence: `with every seed in ${reached.length} of ${cells.length} combinations of angle and k.`,
  });
}

function meanVerdict({ summary, settings }: Results<AnglesFunctionsSettings>): Verdict {
  const statement = "The mean ends higher where the tangents lie closer together";
  const [least, most] = [Math.min(...settings.angles), Math.max(...settings.angles)];
  const pairs = settings.tangents.flatMap((k) => {
    const at = (angle: number) =>
      summary.find((row) => row.gradient === "mean" && row.k === k && row.angle === angle);
    const [close, far] = [at(least), at(most)];
    return close && far ? [{ k, close, far }] : [];
  });
  if (least === most) return undecided(statement, "it takes at least two angles");
  return verdictOf({
    statement,
    reason: {
      fault: "paper",
      why: "with the learning rates of the authors' search, a run at the smallest angle ends as low as one at the largest",
    },
    holds: pairs.every(({ close, far }) => numberIn(close, "best_min") > numberIn(far, "best_max")),
    evidence: `${pairs
      .map(
        ({ k, close, far }) =>
          `with ${k} tangents the lowest values are ${whole(numberIn(close, "best_min"))} to ${whole(numberIn(close, "best_max"))} at ` +
          `${least}° and ${whole(numberIn(far, "best_min"))} to ${whole(numberIn(far, "best_max"))} at ${most}°`,
      )
      .join("; ")}.`,
  });
}

function angledMethodIn(row: Row): GradientMethod {
  return { ...methodIn(row), angle: numberIn(row, "angle") };
}
