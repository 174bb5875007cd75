import { describe, expect, it } from "vitest";
import { type AggregatorName, aggregators } from "../aggregate/aggregators.ts";
import { projection } from "../aggregate/projection.ts";
import { sgd } from "../optim/sgd.ts";
import { fillNormal } from "../random/normal.ts";
import { fold, keyFromSeed } from "../random/threefry.ts";
import { combine } from "../tangents/combine.ts";
import { gram } from "../tangents/gram.ts";
import { samplers } from "../tangents/samplers.ts";
import { sphere } from "../tangents/sphere.ts";
import { createTangentSet, drawTangents } from "../tangents/tangent-set.ts";
import { defaultLearningRate } from "./learning-rate.ts";

const rule = {
  perturb: "weights",
  dimension: 10_000,
  tangents: 16,
  aggregate: "mean",
} as const;

describe("the default learning rate", () => {
  it("is one step in three scales", () => {
    const mean = defaultLearningRate(rule);
    expect(defaultLearningRate({ ...rule, aggregate: "sum" })).toBeCloseTo(mean / 16, 12);
    expect(defaultLearningRate({ ...rule, aggregate: "projection" })).toBeCloseTo((mean * 10_000) / 16, 9);
    expect(defaultLearningRate({ ...rule, optimizer: sgd({ momentum: 0.9 }) })).toBeCloseTo(mean / 10, 12);
    expect(defaultLearningRate({ ...rule, sampler: sphere({ unit: true }) })).toBeCloseTo(mean * 10_000, 9);
    expect(defaultLearningRate({ ...rule, tangents: 64 })).toBeGreaterThan(mean);
    // Tangents of length 1 and a mean times n are the plain mean again.
    expect(
      defaultLearningRate({ ...rule, aggregate: "mean-times-dimension", sampler: sphere({ unit: true }) }),
    ).toBeCloseTo(mean, 12);
  });

  it("is one number for Adam, whatever the estimator", () => {
    expect(defaultLearningRate({ ...rule, optimizer: "adam" })).toBe(
      defaultLearningRate({ ...rule, optimizer: "adamw", aggregate: "sum", tangents: 1 }),
    );
  });

  it("keeps the walk of weights the same length for all steps, batches and tangents", () => {
    const walk = (batch: number, steps: number, tangents: number) =>
      defaultLearningRate({ ...rule, batch, steps, tangents }) *
      Math.sqrt((steps * (1 + 10_000 / tangents)) / batch);
    for (const [batch, steps, tangents] of [
      [8, 5000, 2],
      [32, 3000, 4],
      [256, 5000, 16],
      [64, 40_000, 64],
    ] as const)
      expect(walk(batch, steps, tangents)).toBeCloseTo(1.9, 9);
    // Short runs are bounded by the length of a step instead.
    const short = { ...rule, batch: 64, steps: 10 };
    expect(defaultLearningRate(short)).toBe(defaultLearningRate({ ...short, steps: 1 }));
  });

  it("lets weights walk farther where a guess foresees some of the gradient", () => {
    const mean = defaultLearningRate(rule);
    // η/√(1 + u·n/k), of ∇f itself
    expect(defaultLearningRate({ ...rule, unforeseen: 1 })).toBeCloseTo(mean, 12);
    expect(defaultLearningRate({ ...rule, unforeseen: 0.25 }) / mean).toBeCloseTo(Math.sqrt(626 / 157.25), 9);
  });

  it("counts the tangents of all examples where each has its own", () => {
    const activations = { ...rule, perturb: "activations", dimension: 512 } as const;
    const shared = { ...activations, shareTangents: true };
    // η/(1 + ρ·n/N) is one half of η where N = ρ·n.
    const half = (perturb: "activations" | "blocks", curved: number) =>
      defaultLearningRate({ ...shared, perturb, dimension: 16 / curved });
    expect(half("activations", 0.2)).toBeCloseTo(0.09, 12);
    expect(half("blocks", 1)).toBeCloseTo(0.09, 12);
    expect(defaultLearningRate({ ...shared, batch: 8 })).toBe(defaultLearningRate({ ...shared, batch: 256 }));
    expect(defaultLearningRate({ ...activations, batch: 12 })).toBeCloseTo(
      defaultLearningRate({ ...shared, tangents: 32 }),
      12,
    );
    expect(defaultLearningRate({ ...activations, batch: 1 })).toBe(defaultLearningRate(shared));
    const rates = [8, 32, 64, 256].map((batch) => defaultLearningRate({ ...activations, batch }));
    expect(rates).toEqual(rates.toSorted((a, b) => a - b));
  });

  it("is one for Adam, and falls where a guess measures that noise is most of what it divides by", () => {
    const adam = { ...rule, perturb: "activations", optimizer: "adam", dimension: 8000, batch: 6 } as const;
    const quiet = defaultLearningRate({ ...adam, perturb: "exact" });
    expect(defaultLearningRate(adam)).toBe(quiet);
    // v·n/N, N = 16 tangents of a batch of 6.
    expect(defaultLearningRate({ ...adam, unforeseen: (30 * 16) / 8000 })).toBe(quiet);
    expect(defaultLearningRate({ ...adam, unforeseen: (4 * 30 * 16) / 8000 })).toBeCloseTo(quiet / 2, 12);
    expect(defaultLearningRate({ ...adam, batch: 24, unforeseen: (16 * 30 * 16) / 8000 })).toBeCloseTo(
      quiet / 2,
      12,
    );
    expect(defaultLearningRate({ ...adam, perturb: "weights", unforeseen: 1 })).toBe(quiet);
  });

  it("grows with what a guess foresees, up to that of exact gradients", () => {
    const guessed = (unforeseen: number) =>
      defaultLearningRate({ ...rule, perturb: "activations", dimension: 512, unforeseen });
    const exact = defaultLearningRate({ ...rule, perturb: "exact" });
    expect(guessed(0)).toBe(exact);
    // η/(1 + ρ·v·n/N) is one half of η where v = N/(ρ·n); N = 16·64/6.
    expect(guessed((16 * 64) / 6 / (0.4 * 512))).toBeCloseTo(exact / 2, 12);
    expect(guessed(3)).toBe(guessed(1));
  });

  // The premise for weights: rate·√E‖ĝ‖² is one constant times ‖∇f‖, measured on drawn tangents.
  const n = 64;
  const cases: { aggregate: AggregatorName; expectedLength?: boolean; angle?: number }[] = [
    { aggregate: "mean" },
    { aggregate: "sum" },
    { aggregate: "projection" },
    { aggregate: "projection", expectedLength: true },
    { aggregate: "mean-times-dimension" },
    { aggregate: "max" },
    { aggregate: "max-normalized" },
    { aggregate: "mean", angle: 15 },
    { aggregate: "mean", angle: 60 },
    { aggregate: "projection", angle: 30 },
  ];
  for (const options of cases)
    it.each([2, 8])(`makes steps of one expected length: ${JSON.stringify(options)}, k = %i`, (k) => {
      const { aggregate: name, angle: degrees, expectedLength } = options;
      const sampler = degrees === undefined ? samplers.gaussian() : samplers["fixed-angle"]({ degrees });
      const aggregator = name === "projection" ? projection({ expectedLength }) : aggregators[name]();
      const set = createTangentSet([{ name: "x", shape: [n] }], k, sampler);
      const gradient = new Float32Array(n);
      fillNormal(keyFromSeed(9), 0, gradient);
      const size = Math.hypot(...gradient);
      const coefficients = new Float64Array(k);
      let total = 0;
      const draws = 2000;
      for (let draw = 0; draw < draws; draw++) {
        drawTangents(set, fold(keyFromSeed(10), draw));
        const rows = set.parts[0]?.tensor.data ?? new Float32Array();
        const derivatives = Float64Array.from({ length: k }, (_, i) =>
          gradient.reduce((sum, value, index) => sum + value * (rows[i * n + index] as number), 0),
        );
        aggregator.aggregate(derivatives, gram(set), coefficients, { dimension: n });
        const estimate = combine(set, coefficients).get("x") ?? new Float64Array();
        total += estimate.reduce((sum, value) => sum + value * value, 0) / size ** 2;
      }
      const rate = defaultLearningRate({
        ...rule,
        aggregate: aggregator,
        sampler,
        dimension: n,
        tangents: k,
      });
      const constant = rate * Math.sqrt(total / draws);
      // 1.9·√(B/T) of batches of 64 over 1,000 steps; the fits and √(n/k) for √(1 + n/k) leave some room.
      expect(constant).toBeGreaterThan(0.4807 * 0.85);
      expect(constant).toBeLessThan(0.4807 * 1.15);
    });
});
