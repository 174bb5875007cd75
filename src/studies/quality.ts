import { z } from "zod";
import { fold, keyFromSeed } from "../random/threefry.ts";
import { gaussian } from "../tangents/gaussian.ts";
import { combinations } from "./prefix-quality.ts";
import {
  measureBatch,
  type QualitySettings,
  qualityColumns,
  summarizeQuality,
  summaryQualityColumns,
} from "./quality-batch.ts";
import { qualityCharts } from "./quality-charts.ts";
import { qualityVerdicts } from "./quality-verdicts.ts";
import { qualityReference } from "./reference.ts";
import type { Study, Unit } from "./study.ts";

const count = (least: number) => z.int().min(least);
const powers = (last: number) => Array.from({ length: last + 1 }, (_, power) => 2 ** power);

/** Section 4.1: how close are forward gradients to the gradient, over n and k? */
export const quality: Study<QualitySettings> = {
  name: "quality",
  title: "How good is a forward gradient of k tangents in n dimensions?",
  source: "Flügel et al., Beyond Backpropagation (arXiv 2410.17764), section 4.1",
  claim:
    "More tangents give a better estimate of the gradient, however they are combined. The orthogonal projection on their " +
    "span is the best: its cosine similarity reaches 1 at k = n, where sum and mean stay near √½, and its length never " +
    "exceeds the gradient's, while that of sum and mean can be many times as long.",
  equation: [
    "ĝ = V c,  d = Vᵀ∇f,  G = VᵀV;  sum: c = d,  mean: c = d/k,  projection: c = G⁻¹ d",
    "projection: E[cos] = E[‖ĝ‖/‖∇f‖] = B(n, k) = Γ((k+1)/2) Γ(n/2) / (Γ(k/2) Γ((n+1)/2)),  1 for k ≥ n",
    "sum of Gaussian tangents: E[cos] = B(n+k−1, k),  E[‖ĝ‖/‖∇f‖] = (n+k−1) B(n+k−1, k);  mean: 1/k of it",
  ],
  method:
    "The gradient is a vector of ones, or of standard normal numbers drawn anew for each sample. Each sample draws the " +
    "largest number of Gaussian tangents; its first k serve every smaller k and every way to combine them, with " +
    "ĝ·∇f = c·d and ‖ĝ‖² = cᵀG c. Derivatives and projection are in float64, the Gram matrix too where k > n/8, otherwise " +
    "in float32. Dots are means over the samples with 95 % intervals, mostly smaller than the dot.",
  settings: {
    dimensions: z.array(count(1)).min(1).describe("n, dimensions of the gradient"),
    tangents: z.array(count(1)).min(1).describe("k, numbers of tangents"),
    gradients: z
      .array(z.enum(["ones", "random"]))
      .min(1)
      .describe("gradients to estimate: ones, random"),
    samples: count(2).describe("draws of the tangents for each n"),
    largeFrom: count(1).describe("n from which largeSamples are drawn instead"),
    largeSamples: count(2).describe("draws of the tangents for each such n"),
    batch: count(1).describe("draws that make one row of results.csv"),
    seed: count(0).describe("decides the tangents"),
  },
  full: {
    dimensions: powers(16),
    tangents: powers(10),
    gradients: ["ones", "random"],
    samples: 1000,
    largeFrom: 2 ** 15,
    largeSamples: 100,
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
    batch: 50,
    seed: 0,
  },
  tiny: {
    dimensions: [1, 2, 64],
    tangents: [1, 4, 16],
    gradients: ["ones", "random"],
    samples: 20,
    largeFrom: 64,
    largeSamples: 10,
    batch: 10,
    seed: 0,
  },
  columns: qualityColumns,
  summaryColumns: summaryQualityColumns,

  plan: (settings) =>
    settings.dimensions.flatMap((dimension) => {
      const samples = dimension >= settings.largeFrom ? settings.largeSamples : settings.samples;
      return Array.from({ length: Math.ceil(samples / settings.batch) }, (_, batch) =>
        unitOf(settings, dimension, samples, batch),
      );
    }),
  summarize: (rows) => summarizeQuality(rows),
  charts: qualityCharts,
  verdicts: qualityVerdicts,

  notes: () => [
    `Diamonds: ${qualityReference.source}`,
    "Samples of different k are prefixes of the same draws, and so correlated along k; each mean and interval alone is right.",
    "Lines are closed forms, except for normalized tangents (length 1) under sum and mean, where k > 1 has none: there the line is an approximation with the right limits.",
  ],
};

function unitOf(settings: QualitySettings, dimension: number, all: number, batch: number): Unit {
  const first = batch * settings.batch;
  const samples = Math.min(settings.batch, all - first);
  const most = Math.max(...settings.tangents);
  return {
    key: `n=${dimension}/batch=${batch}`,
    cost: samples * sampleCost(dimension, most),
    measure: (environment) =>
      measureBatch(environment, {
        dimension,
        counts: settings.tangents,
        sampler: gaussian(),
        key: fold(keyFromSeed(settings.seed), dimension),
        first,
        samples,
        batch,
        gradients: settings.gradients,
        combinations,
      }),
  };
}

/** Nanoseconds of one sample, roughly: drawing, Gram matrix, factorization, sums. */
function sampleCost(n: number, k: number): number {
  return (
    8 * n * k + (8 * k > n ? 0.04 : 0.02) * n * k * k + 0.07 * k * Math.min(n, k) ** 2 + 10 * k * k + 1000 * k
  );
}
