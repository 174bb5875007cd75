/** Study: what dependence between tangents costs a single estimate. */
import * as z from "zod/mini";
import { interval, type Point, panelChart } from "../../charts/charts.ts";
import { fold, keyFromSeed } from "../../random/threefry.ts";
import { fixedAngle } from "../../tangents/fixed-angle.ts";
import {
  measureBatch,
  momentsIn,
  qualityColumns,
  summarizeQuality,
  summaryQualityColumns,
} from "../quality/batch.ts";
import { expectedAtAngle } from "../quality/expected.ts";
import { combinations } from "../quality/prefixes.ts";
import { agreementOf, anglesReference } from "../reference.ts";
import { count, some } from "../rules.ts";
import { numberIn } from "../statistics.ts";
import type { Column, Results, Row, Study, Unit, Verdict } from "../study.ts";
import { undecided, verdictOf } from "../verdict.ts";

export type AnglesSettings = {
  dimension: number;
  tangents: number[];
  angles: number[];
  samples: number;
  batch: number;
  seed: number;
};

const angleColumn: Column = {
  name: "angle",
  kind: "number",
  description: "degrees between the first tangent and each of the others",
};
/** Lengths do not matter here: all tangents are as long. */
const shown = ["mean", "projection", "sum"] as const;

/** Section 4.3: do tangents that lie closer together make a worse estimate, and does projection mind? */
export const angles: Study<AnglesSettings> = {
  name: "angles",
  title: "Tangents at an angle: how much does dependence between tangents cost?",
  source: "Flügel et al., Beyond Backpropagation (arXiv 2410.17764), section 4.3",
  claim:
    "When the tangents lie closer together, summing or averaging them estimates the gradient worse, because they repeat " +
    "each other. Orthogonal projection takes the repetition out: its estimate does not depend on the angle.",
  equation: [
    "v₁ uniform on the unit sphere,  vᵢ = cos α · v₁ + sin α · oᵢ,  oᵢ ⟂ v₁ uniform, ‖oᵢ‖ = 1",
    "E[cos(projection)] = Γ((k+1)/2) Γ(n/2) / (Γ(k/2) Γ((n+1)/2))  for every α",
    "mean: with t = v₁·∇f/‖∇f‖,  cos ≈ E[(t² + (k−1)T) / √(t² + (k−1)T + 2(k−1)t² cos²α + (k−1)(k−2)U)]",
    "T = t² cos²α + (1−t²)/(n−1) sin²α,  U = t² cos⁴α + (1−t²)/(n−1)² sin⁴α,  t² ~ Beta(½, (n−1)/2)",
  ],
  method:
    "The gradient is a vector of ones in n dimensions. Each sample draws the largest number of tangents; the first k of them " +
    "serve every smaller k, so that the columns of one chart share draws. Dots are means over the samples with 95 % " +
    "intervals. Derivatives, Gram matrix and projection are in float64.",
  settings: {
    dimension: count(2).check(z.describe("n, the dimension of the gradient")),
    tangents: some(count(1)).check(z.describe("k, numbers of tangents")),
    angles: some(z.number().check(z.gt(0), z.maximum(90))).check(
      z.describe("degrees between the first tangent and each of the others"),
    ),
    samples: count(2).check(z.describe("draws of the tangents for each angle")),
    batch: count(1).check(z.describe("draws that make one row of results.csv")),
    seed: count(0).check(z.describe("decides the tangents")),
  },
  full: {
    dimension: 64,
    tangents: [4, 16, 64],
    angles: [15, 30, 45, 60, 75, 90],
    samples: 1000,
    batch: 100,
    seed: 0,
  },
  quick: {
    dimension: 64,
    tangents: [4, 16, 64],
    angles: [15, 30, 45, 60, 75, 90],
    samples: 200,
    batch: 100,
    seed: 0,
  },
  quickLeavesOut:
    "Left out: 4 of 5 draws (200 instead of 1,000 for each angle). Every verdict is decided all the same, by tests that see less.",
  tiny: { dimension: 8, tangents: [2, 4], angles: [30, 90], samples: 20, batch: 10, seed: 0 },
  columns: [angleColumn, ...qualityColumns],
  summaryColumns: [angleColumn, ...summaryQualityColumns],

  plan(settings) {
    return settings.angles.flatMap((angle) =>
      Array.from({ length: Math.ceil(settings.samples / settings.batch) }, (_, batch) =>
        unitOf(settings, angle, batch),
      ),
    );
  },

  summarize: (rows) => summarizeQuality(rows, ["angle"]),

  charts(results) {
    const panel = (k: number) => `${k} tangents`;
    const panels = results.settings.tangents.map(panel);
    const chart =
      (value: "cosine" | "norm_ratio", names: readonly string[], title: string) => (width: number) =>
        panelChart(
          {
            points: pointsOf(results, value, panel).filter(({ series }) => names.includes(series)),
            x: { title: "angle α (degrees)", ticks: results.settings.angles },
            y: value === "cosine" ? { title, domain: [0, 1] } : { title, log: 10 },
            series: { title: "combined by", values: names },
            panels,
          },
          width,
        );
    return [
      {
        name: "cosine",
        title: "Cosine similarity to the gradient over the angle",
        caption:
          "Projection (closed form as line) is level: what the tangents share costs it nothing. The mean loses quality as the " +
          "angle shrinks; its line averages over the first tangent and leaves out how the others vary. Sum and mean point " +
          "the same way.",
        spec: chart("cosine", ["mean", "projection"], "cosine similarity (1 is perfect)"),
      },
      {
        name: "norm-ratio",
        title: "Length of the estimate over the angle",
        caption:
          "Mean of ‖ĝ‖/‖∇f‖, on a logarithmic axis; 1 is the gradient's own length. The sum overshoots more the closer the " +
          "tangents lie.",
        spec: chart("norm_ratio", shown, "norm ratio (1 is the gradient's length)"),
      },
    ];
  },

  verdicts: (results) => [projectionVerdict(results), meanVerdict(results), referenceVerdict(results)],

  notes: () => [
    `Diamonds: ${anglesReference.source}`,
    "Samples of different k are prefixes of the same draws, and so correlated along k; each mean and interval alone is right.",
  ],
};

function unitOf(settings: AnglesSettings, angle: number, batch: number): Unit {
  const { dimension, tangents, samples, seed } = settings;
  const first = batch * settings.batch;
  return {
    key: `angle=${angle}/batch=${batch}`,
    cost: Math.min(settings.batch, samples - first),
    async measure(environment) {
      const rows = await measureBatch(environment, {
        dimension,
        counts: tangents,
        sampler: fixedAngle({ degrees: angle }),
        key: fold(fold(keyFromSeed(seed), Math.round(1000 * angle)), dimension),
        first,
        samples: Math.min(settings.batch, samples - first),
        batch,
        gradients: ["ones"],
        combinations: combinations.filter(
          ({ aggregation, lengths }) => lengths === (aggregation === "projection" ? "as drawn" : "unit"),
        ),
      });
      return rows?.map((row) => ({ angle, ...row }));
    },
  };
}

function pointsOf(
  { summary, settings }: Results<AnglesSettings>,
  value: "cosine" | "norm_ratio",
  panel: (k: number) => string,
): Point[] {
  const points: Point[] = summary.map((row) => ({
    x: numberIn(row, "angle"),
    ...interval(numberIn(row, `${value}_mean`), row[`${value}_ci95`] as number | undefined),
    series: String(row.aggregation),
    panel: panel(numberIn(row, "k")),
    kind: "measured",
  }));
  for (const k of settings.tangents) {
    for (const series of shown) {
      for (let x = Math.min(...settings.angles); x <= Math.max(...settings.angles); x += 1) {
        const expected = expectedAtAngle(settings.dimension, k, x, series);
        points.push({
          x,
          y: value === "cosine" ? expected.cosine : expected.normRatio,
          series,
          panel: panel(k),
          kind: "expected",
        });
      }
    }
  }
  for (const row of anglesReference.rows) {
    if (
      row.n !== settings.dimension ||
      !settings.tangents.includes(row.k) ||
      !settings.angles.includes(row.angle ?? 0)
    )
      continue;
    if (row.tangents === "normalized") continue;
    const y = value === "cosine" ? row.cosine.mean : row.normRatio.mean;
    points.push({ x: row.angle ?? 0, y, series: row.aggregation, panel: panel(row.k), kind: "reference" });
  }
  return points;
}

function cellsOf(summary: readonly Row[], aggregation: string): readonly Row[] {
  return summary.filter((row) => row.aggregation === aggregation);
}

function projectionVerdict({ summary }: Results<AnglesSettings>): Verdict {
  const cells = cellsOf(summary, "projection").map((row) => {
    const [n, k, angle] = [numberIn(row, "n"), numberIn(row, "k"), numberIn(row, "angle")];
    const expected = { count: 1, mean: expectedAtAngle(n, k, angle, "projection").cosine, deviation: 0 };
    return [momentsIn(row, "cosine"), expected] as const;
  });
  const { holds, worst, test } = agreementOf(cells);
  return verdictOf({
    statement: "The quality of projection does not depend on the angle",
    holds,
    reason: {
      fault: "ours",
      why: "this is a theorem, so the draws or the arithmetic of this library are wrong",
    },
    evidence: `the cosine of every one of ${cells.length} cells is within ${worst.toFixed(1)} standard errors of the closed form, which knows no angle; ${test}.`,
  });
}

function meanVerdict({ summary, settings }: Results<AnglesSettings>): Verdict {
  const statement = "The quality of mean and sum falls as the angle shrinks";
  const [least, most] = [Math.min(...settings.angles), Math.max(...settings.angles)];
  const k = Math.max(...settings.tangents);
  const at = (angle: number) => cellsOf(summary, "mean").find((row) => row.angle === angle && row.k === k);
  const [close, far] = [at(least), at(most)];
  if (!close || !far || least === most) return undecided(statement, "it takes at least two angles");
  const gap = numberIn(far, "cosine_mean") - numberIn(close, "cosine_mean");
  const error = Math.hypot(Number(far.cosine_ci95), Number(close.cosine_ci95));
  return verdictOf({
    statement,
    holds: gap > error,
    reason:
      gap < -error
        ? { fault: "ours", why: "the expected cosine falls, so the draws of this library are wrong" }
        : { fault: "sample", why: "the draws differ more than these angles do" },
    evidence: `with ${k} tangents the cosine of the mean is ${numberIn(close, "cosine_mean").toFixed(3)} at ${least}° and ${numberIn(far, "cosine_mean").toFixed(3)} at ${most}°.`,
  });
}

function referenceVerdict(results: Results<AnglesSettings>): Verdict {
  const statement = "The results are those of the authors' code";
  const pairs = anglesReference.rows.flatMap((reference) => {
    // At k = n the projection is exact here and not there.
    if (reference.aggregation === "projection" && reference.k >= reference.n) return [];
    const row = results.summary.find(
      (cell) =>
        cell.n === reference.n &&
        cell.k === reference.k &&
        cell.angle === reference.angle &&
        cell.aggregation === reference.aggregation,
    );
    if (!row) return [];
    return [
      [momentsIn(row, "cosine"), reference.cosine] as const,
      [momentsIn(row, "norm_ratio"), reference.normRatio] as const,
    ];
  });
  if (pairs.length === 0) return undecided(statement, "no cell of this run has a reference");
  const { holds, worst, outside, test } = agreementOf(pairs);
  return verdictOf({
    statement,
    holds,
    reason: projectionVerdict(results).holds
      ? {
          fault: "paper",
          why: "the projections here agree with their closed form, so the authors' 1,000 draws stray",
        }
      : { fault: "ours", why: "the projections here disagree with their closed form as well" },
    evidence:
      `of ${pairs.length} values, the farthest is ${worst.toFixed(1)} standard errors of the difference away, and ${outside} are ` +
      `outside the 99 % interval; ${test}.`,
  });
}
