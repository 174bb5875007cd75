import * as z from "zod/mini";
import { fold, keyFromSeed } from "../../random/threefry.ts";
import { gaussian } from "../../tangents/gaussian.ts";
import { qualityReference } from "../reference.ts";
import { count, some } from "../rules.ts";
import type { Study, Unit } from "../study.ts";
import {
  measureBatch,
  type QualitySettings,
  qualityColumns,
  summarizeQuality,
  summaryQualityColumns,
} from "./batch.ts";
import { qualityCharts } from "./charts.ts";
import { combinations } from "./prefixes.ts";
import { qualityVerdicts } from "./verdicts.ts";

const powers = (last: number) => Array.from({ length: last + 1 }, (_, power) => 2 ** power);

/** Where the authors' code was run. More draws here make our own noise small next to theirs. */
const referenceRange = { moreDimension: 1024, moreTangents: 64 };
/** Batches of the draws with few tangents are so many times as large. */
const moreBatches = 10;

/** Section 4.1: how close are forward gradients to the gradient, over n and k? */
export const quality: Study<QualitySettings> = {
  name: "quality",
  title: "How good is a forward gradient of k tangents in n dimensions?",
  source: "Flügel et al., Beyond Backpropagation (arXiv 2410.17764), section 4.1",
  claim:
    "More tangents give a better estimate of the gradient, however they are combined. The orthogonal projection on their " +
    "span is the best: its cosine similarity reaches 1 at k = n, where sum and mean stay near √½, and its length never " +
    "exceeds the gradient's, while that of sum and mean can be many times as long. Brought to its known gain, each is right on " +
    "average, and projection varies least.",
  equation: [
    "ĝ = V c,  d = Vᵀ∇f,  G = VᵀV;  sum: c = d,  mean: c = d/k,  projection: c = G⁻¹ d",
    "projection: E[cos] = E[‖ĝ‖/‖∇f‖] = B(n, k) = Γ((k+1)/2) Γ(n/2) / (Γ(k/2) Γ((n+1)/2)),  1 for k ≥ n",
    "at its known gain, k/n of a projection, bias is 0 and the variance (n/k − 1)‖∇f‖²; of a mean or sum (n+1)/k, normalized (n−1)/k",
    "sum of Gaussian tangents: E[cos] = B(n+k−1, k),  E[‖ĝ‖/‖∇f‖] = (n+k−1) B(n+k−1, k);  mean: 1/k of it",
  ],
  method:
    "The gradient is a vector of ones, or of standard normal numbers drawn anew for each sample. Each sample draws the " +
    "largest number of Gaussian tangents; its first k serve every smaller k and every way to combine them, with " +
    "ĝ·∇f = c·d and ‖ĝ‖² = cᵀG c. Derivatives and projection are in float64, the Gram matrix too where k > n/8, otherwise " +
    "in float32. Dots are means over the samples with 95 % intervals, mostly smaller than the dot.",
  settings: {
    dimensions: some(count(1)).check(z.describe("n, dimensions of the gradient")),
    tangents: some(count(1)).check(z.describe("k, numbers of tangents")),
    gradients: some(z.enum(["ones", "random"])).check(z.describe("gradients to estimate: ones, random")),
    samples: count(2).check(z.describe("draws of the tangents for each n")),
    largeFrom: count(1).check(z.describe("n from which largeSamples are drawn instead")),
    largeSamples: count(2).check(z.describe("draws of the tangents for each such n")),
    moreSamples: count(2).check(
      z.describe("draws in all for each n up to moreDimension and k up to moreTangents"),
    ),
    moreDimension: count(1).check(z.describe("largest n with more draws")),
    moreTangents: count(1).check(z.describe("largest k with more draws")),
    batch: count(1).check(z.describe("draws that make one row of results.csv")),
    seed: count(0).check(z.describe("decides the tangents")),
  },
  full: {
    dimensions: powers(16),
    tangents: powers(10),
    gradients: ["ones", "random"],
    samples: 1000,
    largeFrom: 2 ** 15,
    largeSamples: 100,
    ...referenceRange,
    moreSamples: 40_000,
    batch: 50,
    seed: 0,
  },
  quick: {
    dimensions: powers(13),
    tangents: powers(8),
    gradients: ["ones", "random"],
    samples: 200,
    largeFrom: 2 ** 12,
    largeSamples: 50,
    ...referenceRange,
    moreSamples: 1000,
    batch: 50,
    seed: 0,
  },
  quickLeavesOut:
    "Left out: n above 8,192, k above 256, and most of the draws (200 instead of 1,000 a cell, 1,000 instead of 40,000 where the authors' results " +
    "are compared). Every verdict is decided all the same, by tests that see less.",
  tiny: {
    dimensions: [1, 2, 64],
    tangents: [1, 4, 16],
    gradients: ["ones", "random"],
    samples: 20,
    largeFrom: 64,
    largeSamples: 10,
    moreSamples: 30,
    moreDimension: 2,
    moreTangents: 4,
    batch: 10,
    seed: 0,
  },
  columns: qualityColumns,
  summaryColumns: summaryQualityColumns,

  plan: (settings) => [
    ...settings.dimensions.flatMap((dimension) => {
      const last = dimension >= settings.largeFrom ? settings.largeSamples : settings.samples;
      return unitsOf(settings, {
        dimension,
        counts: settings.tangents,
        first: 0,
        last,
        size: settings.batch,
      });
    }),
    ...settings.dimensions.flatMap((dimension) => {
      const counts = settings.tangents.filter((k) => k <= settings.moreTangents);
      const first = dimension >= settings.largeFrom ? settings.largeSamples : settings.samples;
      if (dimension > settings.moreDimension || counts.length === 0) return [];
      const size = moreBatches * settings.batch;
      return unitsOf(settings, { dimension, counts, first, last: settings.moreSamples, size });
    }),
  ],
  summarize: (rows) => summarizeQuality(rows),
  charts: qualityCharts,
  verdicts: qualityVerdicts,

  notes: ({ moreDimension, moreTangents, moreSamples }) => [
    `Diamonds: ${qualityReference.source}`,
    `Cells up to n = ${moreDimension} and k = ${moreTangents}, where there are results to compare with, have ${moreSamples.toLocaleString("en")} samples: draws beyond those of the other cells stop at k = ${moreTangents}.`,
    "The authors' results share draws along k too, so that whole rows of diamonds may lie a little high or low: at n = 1,024, theirs at k = 32 and " +
      "64 are 2.6 to 2.8 of their own standard errors from the closed forms, once for every aggregation, length and measure.",
    "Samples of different k are prefixes of the same draws, and so correlated along k; each mean and interval alone is right.",
    "Lines are closed forms, except for normalized tangents (length 1) under sum and mean, where k > 1 has none: there the line is an approximation with the right limits.",
  ],
};

/** Draws `first` to `last` of one dimension, in batches of this size. */
interface Draws {
  readonly dimension: number;
  readonly counts: readonly number[];
  readonly first: number;
  readonly last: number;
  readonly size: number;
}

function unitsOf(
  settings: QualitySettings,
  { dimension, counts, first, last, size }: Draws,
): readonly Unit[] {
  const cost = sampleCost(dimension, Math.max(...counts));
  const kind = counts === settings.tangents ? "batch" : "more";
  return Array.from({ length: Math.max(0, Math.ceil((last - first) / size)) }, (_, batch): Unit => {
    const start = first + batch * size;
    const samples = Math.min(size, last - start);
    return {
      key: `n=${dimension}/${kind}=${batch}`,
      cost: samples * cost,
      measure: (environment) =>
        measureBatch(environment, {
          dimension,
          counts,
          sampler: gaussian(),
          key: fold(keyFromSeed(settings.seed), dimension),
          first: start,
          samples,
          batch: Math.round(start / settings.batch),
          gradients: settings.gradients,
          combinations,
        }),
    };
  });
}

/** Nanoseconds of one sample, roughly: drawing, Gram matrix, factorization, sums. */
function sampleCost(n: number, k: number): number {
  return (
    8 * n * k + (8 * k > n ? 0.04 : 0.02) * n * k * k + 0.07 * k * Math.min(n, k) ** 2 + 10 * k * k + 1000 * k
  );
}
