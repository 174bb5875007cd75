import { describe, expect, it } from "vitest";
import { activationSites } from "../src/ad/sites.ts";
import type { Aggregator } from "../src/aggregate/aggregator.ts";
import { aggregators } from "../src/aggregate/aggregators.ts";
import type { Estimator } from "../src/estimate/estimator.ts";
import { activationsEstimator } from "../src/estimate/estimators.ts";
import { cosine, exactGradient } from "../src/estimate/exact.ts";
import { localGraph } from "../src/estimate/sites/graphs.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { mlp } from "../src/models/mlp.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import type { Objective } from "../src/objective/objective.ts";
import { producers } from "../src/onnx/graph.ts";
import type { Tensor } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { fillNormal } from "../src/random/normal.ts";
import { fold, keyFromSeed } from "../src/random/threefry.ts";
import { fillUniform } from "../src/random/uniform.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { fixedAngle } from "../src/tangents/fixed-angle.ts";
import { gaussian } from "../src/tangents/gaussian.ts";
import type { Sampler } from "../src/tangents/sampler.ts";
import { type SamplerName, samplers } from "../src/tangents/samplers.ts";
import { createTangentSet, drawTangents, rowOf } from "../src/tangents/tangent-set.ts";
import { createEstimator, type EstimatorSettings } from "../src/train/settings/estimator.ts";
import { fromGolden, type GoldenTensors, readGolden } from "./golden.ts";
import { relativeError } from "./relative-error.ts";

const runtime = nodeRuntime({ threads: 1 });
const key = keyFromSeed(20241017);
const batch = 4;

async function smallObjective(
  hidden = [5, 4],
  activation: "tanh" | "relu" = "tanh",
): Promise<{ objective: Objective; feeds: Record<string, Tensor> }> {
  const model = mlp({ input: [6], hidden, outputs: 3, activation, seed: 3 });
  const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch });
  const data = new Float32Array(batch * 6);
  fillUniform(key, 0, data);
  const labels = BigInt64Array.of(0n, 2n, 1n, 2n);
  return {
    objective,
    feeds: {
      ...objective.parameters,
      input: { dtype: "float32", shape: [batch, 6], data },
      labels: { dtype: "int64", shape: [batch], data: labels },
    },
  };
}

/** All gradients one after the other. */
function flat(gradients: Readonly<Record<string, Float32Array>>): number[] {
  return Object.values(gradients).flatMap((values) => [...values]);
}

describe("activations with projection", () => {
  for (const sampler of (Object.keys(samplers) as SamplerName[]).filter((name) => name !== "low-rank")) {
    // One example's sites have 5 + 4 = 9 numbers. Signs can repeat, so more of them are drawn.
    for (const tangents of sampler === "rademacher" ? [40] : [9, 16, 24]) {
      it(`${sampler}, ${tangents} tangents for 9 dimensions: the exact gradient, PyTorch's, norm included`, async () => {
        const golden =
          readGolden<
            {
              activation: string;
              loss_kind: string;
              inputs: { shape: number[]; data: number[] };
              labels: { shape: number[]; data: number[]; dtype: string };
              parameters: GoldenTensors;
              gradients: GoldenTensors;
            }[]
          >("mlp.golden.json");
        for (const entry of golden.filter(
          ({ loss_kind, activation }) => loss_kind === "cross-entropy" && activation === "relu",
        )) {
          const { objective } = await smallObjective();
          const model = mlp({ input: [6], hidden: [5, 4], outputs: 3, activation: "relu" });
          const own = await compileObjective({ model, loss: crossEntropy(), runtime, batch });
          const parameters = Object.fromEntries(
            Object.entries(entry.parameters).map(([name, value]) => [name, fromGolden(value)]),
          );
          const estimator = await createEstimator(own, { tangents, sampler });
          const feeds = { ...parameters, input: fromGolden(entry.inputs), labels: fromGolden(entry.labels) };
          const { gradients } = await estimator.estimate(feeds, key);
          expect(Object.keys(gradients)).toEqual(Object.keys(objective.parameters));
          for (const [name, gradient] of Object.entries(gradients))
            expect(relativeError(gradient, entry.gradients[name]?.data ?? []), name).toBeLessThan(1e-4);
          await estimator.release();
        }
      });
    }
  }

  it("gives each example its own coefficients also for shared tangents", async () => {
    const { objective, feeds } = await smallObjective();
    const estimator = await createEstimator(objective, {
      tangents: 24,
      perturb: { name: "activations", shareTangents: true },
    });
    const exact = await exactGradient(objective);
    const { gradients } = await exact.estimate(feeds, key);
    expect(
      relativeError(flat((await estimator.estimate(feeds, key)).gradients), flat(gradients)),
    ).toBeLessThan(1e-4);
  });
});

describe("the mean of k tangents", () => {
  const cases: { name: string; settings: EstimatorSettings }[] = [
    ...(Object.keys(samplers) as SamplerName[])
      .filter((sampler) => sampler !== "low-rank")
      .map((sampler) => ({ name: `activations, ${sampler}`, settings: { sampler } })),
    {
      name: "activations, shared gaussian",
      settings: { sampler: "gaussian", perturb: { name: "activations", shareTangents: true } },
    },
    ...(Object.keys(samplers) as SamplerName[]).map((sampler) => ({
      name: `weights, ${sampler}`,
      settings: { perturb: "weights" as const, sampler },
    })),
    {
      name: "weights, fixed-angle at 15 degrees",
      settings: { perturb: "weights", sampler: fixedAngle({ degrees: 15 }) },
    },
    {
      name: "weights, low-rank of rank 3",
      settings: { perturb: "weights", sampler: { name: "low-rank", rank: 3 } },
    },
  ];
  for (const { name, settings } of cases) {
    it(`${name}: is the exact gradient in expectation`, async () => {
      await expectMultiple(await smallObjective(), { ...settings, aggregate: "mean", tangents: 4 }, 1);
    });
  }
});

describe("a projection on k tangents", () => {
  // ReLU leaves each example numbers of its own, in which the projection is, and the last layer's gradient is exact.
  // One tangent's Gram matrix comes from a graph, that of three in 9 dimensions is computed in float64.
  for (const activation of ["tanh", "relu"] as const)
    for (const tangents of [1, 3])
      for (const settings of [
        {},
        { lowMemory: true },
        { gradient: "simulated" as const },
        { perturb: { name: "activations" as const, shareTangents: true } },
      ])
        it(`${activation}, k = ${tangents}, ${JSON.stringify(settings)}: is k/n of the exact gradient in expectation, in all layers`, async () => {
          const setting = { ...settings, aggregate: "projection" as const, tangents };
          // The last layer is known up to its rounding to float32, which k/n times it is rounded to once more.
          await expectMultiple(await smallObjective([5, 4], activation), setting, tangents / 9, 1e-7);
        });
});

/**
 * Expects the mean of many estimates to be this multiple of the exact gradient, within its standard errors.
 *
 * @param rounding added to the standard errors, which are 0 where the gradient is known
 */
async function expectMultiple(
  { objective, feeds }: Awaited<ReturnType<typeof smallObjective>>,
  settings: EstimatorSettings,
  multiple: number,
  rounding = 1e-9,
): Promise<void> {
  const estimator = await createEstimator(objective, settings);
  const exact = await exactGradient(objective);
  const target = flat((await exact.estimate(feeds, key)).gradients).map((value) => multiple * value);
  const draws = 3000;
  const sum = target.map(() => 0);
  const squares = target.map(() => 0);
  for (let draw = 0; draw < draws; draw++) {
    flat((await estimator.estimate(feeds, fold(key, draw))).gradients).forEach((value, place) => {
      sum[place] = (sum[place] as number) + value;
      squares[place] = (squares[place] as number) + value * value;
    });
  }
  let largest = 0;
  let total = 0;
  target.forEach((value, place) => {
    const mean = (sum[place] as number) / draws;
    const variance = (squares[place] as number) / draws - mean * mean;
    const z = (mean - value) / Math.sqrt(variance / draws + rounding ** 2);
    largest = Math.max(largest, Math.abs(z));
    total += z * z;
  });
  // 74 means of 3,000 draws are close to normal: all within 5 standard errors but for 1 in 20,000 seeds, and their
  // mean square, 1 in expectation, stays below 2 (its own standard error is √(2/74) ≈ 0.16 if they are independent,
  // and they are correlated, so the bound is generous).
  expect(target.length).toBe(74);
  expect(largest).toBeLessThan(5);
  expect(total / target.length).toBeLessThan(2);
  await Promise.all([estimator.release(), exact.release()]);
}

describe("tangents that cover the space", () => {
  for (const sampler of ["standard-basis", "orthonormal"] as const)
    for (const perturb of ["weights", "activations"] as const)
      for (const aggregate of ["mean", "sum", "projection"] as const)
        it(`${sampler}, ${perturb}: ${aggregate} is the exact gradient`, async () => {
          const { objective, feeds } = await smallObjective();
          const target = flat((await (await exactGradient(objective)).estimate(feeds, key)).gradients);
          const tangents = perturb === "weights" ? 74 : 9;
          const estimator = await createEstimator(objective, { perturb, sampler, aggregate, tangents });
          const { gradients } = await estimator.estimate(feeds, key);
          const scale = aggregate === "sum" ? tangents : 1;
          expect(
            relativeError(
              flat(gradients).map((value) => value / scale),
              target,
            ),
          ).toBeLessThan(1e-5);
          await estimator.release();
        });

  it("is refused for options that the chosen sampler or aggregator does not read", async () => {
    const { objective } = await smallObjective();
    const wrong: [EstimatorSettings, string][] = [
      [
        { sampler: { degrees: 30 } as unknown as Sampler },
        'sampler.degrees: 30 belongs to fixed-angle: leave it out, or choose sampler: "fixed-angle"',
      ],
      [{ sampler: { name: "gaussian", rank: 2 } as unknown as Sampler }, 'choose sampler: "low-rank"'],
      [
        { aggregate: { name: "projection", within: 0.1 } as unknown as Aggregator },
        "aggregate.within: 0.1 is no option of projection; it belongs to near-best",
      ],
      [
        { aggregate: { name: "mean", expectedLength: true } as unknown as Aggregator },
        'choose aggregate: "projection"',
      ],
      [
        { aggregate: { name: "max", select: "first-n" } as unknown as Aggregator },
        'choose aggregate: "projection"',
      ],
    ];
    for (const [settings, message] of wrong)
      await expect(createEstimator(objective, settings)).rejects.toThrow(message);
  });
});

describe("weights with projection", () => {
  it("solves in float64 where the tangents are close to each other", async () => {
    // Far below n/8 tangents, where independent ones would do with float32; these differ by one part in a thousand.
    const { objective, feeds } = await smallObjective([20, 5]);
    const exact = flat((await (await exactGradient(objective)).estimate(feeds, key)).gradients);
    const dimension = exact.length;
    const estimator = await createEstimator(objective, {
      perturb: "weights",
      sampler: fixedAngle({ degrees: 0.05 }),
      tangents: 8,
    });
    expect(8).toBeLessThan(dimension / 8);
    // A projection reproduces the derivatives along its own tangents.
    const set = createTangentSet(
      Object.entries(objective.parameters).map(([name, { shape }]) => ({ name, shape })),
      8,
      fixedAngle({ degrees: 0.05 }),
    );
    let squares = 0;
    for (let step = 0; step < 20; step++) {
      const { gradients, derivatives } = await estimator.estimate(feeds, fold(key, step));
      drawTangents(set, fold(key, step));
      for (let tangent = 0; tangent < 8; tangent++) {
        const along = set.parts.reduce(
          (total, part) =>
            total +
            rowOf(part.tensor, tangent).reduce(
              (sum, value, place) => sum + value * (gradients[part.parameter]?.[place] as number),
              0,
            ),
          0,
        );
        squares += (along - (derivatives[tangent] as number)) ** 2;
      }
    }
    // The root mean square is 4e-5 with a Gram matrix in float64, from d in float32; with one in float32 it is 2e-4.
    expect(Math.sqrt(squares / (20 * 8))).toBeLessThan(8e-5);
  });

  it("gives the exact gradient when there are as many tangents as parameters", async () => {
    const { objective, feeds } = await smallObjective();
    const exact = await exactGradient(objective);
    const target = (await exact.estimate(feeds, key)).gradients;
    for (const tangents of [74, 148]) {
      const estimator = await createEstimator(objective, { perturb: "weights", tangents });
      const { gradients } = await estimator.estimate(feeds, key);
      expect(cosine(gradients, target)).toBeGreaterThan(1 - 1e-6);
      await estimator.release();
    }
  });

  it("gives the least-squares answer for repeated tangents", async () => {
    const { objective, feeds } = await smallObjective();
    const repeated: Sampler = {
      name: "repeated",
      fill: (stream, start, out, scale) => fillNormal(repeatKey(stream), start, out, scale),
    };
    const seen: (readonly [number, number])[] = [];
    // The first 8 streams come again in the same order.
    function repeatKey(stream: readonly [number, number]) {
      const known = seen.findIndex((other) => other[0] === stream[0] && other[1] === stream[1]);
      if (known < 0) seen.push(stream);
      return seen[(known < 0 ? seen.length - 1 : known) % 8] as readonly [number, number];
    }
    const twice = await createEstimator(objective, { perturb: "weights", tangents: 16, sampler: repeated });
    const once = await createEstimator(objective, { perturb: "weights", tangents: 8, sampler: gaussian() });
    const a = flat((await twice.estimate(feeds, key)).gradients);
    const b = flat((await once.estimate(feeds, key)).gradients);
    expect(relativeError(a, b)).toBeLessThan(1e-4);
  });
});

describe("chunks and threads", () => {
  for (const perturb of ["weights", "activations"] as const) {
    it(`${perturb}: leave the derivatives within 1e-5`, async () => {
      const reference = await derivativesOf(perturb, { tangents: 10 }, 1);
      for (const tangentChunk of [1, 3, 4, 10, 64]) {
        expect(
          relativeError(await derivativesOf(perturb, { tangents: 10, tangentChunk }, 1), reference),
        ).toBeLessThan(1e-5);
      }
      expect(relativeError(await derivativesOf(perturb, { tangents: 10 }, 2), reference)).toBeLessThan(1e-5);
    });

    it(`${perturb}: give the same bytes twice`, async () => {
      const [first, second] = [
        await derivativesOf(perturb, { tangents: 7 }, 2),
        await derivativesOf(perturb, { tangents: 7 }, 2),
      ];
      expect(second).toEqual(first);
    });
  }

  async function derivativesOf(
    perturb: "weights" | "activations",
    settings: EstimatorSettings,
    threads: number,
  ) {
    const model = mlp({ input: [6], hidden: [33, 17], outputs: 3, seed: 3 });
    const own = nodeRuntime({ threads });
    const objective = await compileObjective({ model, loss: crossEntropy(), runtime: own, batch });
    const { feeds } = await smallObjective();
    const estimator: Estimator = await createEstimator(objective, { perturb, ...settings });
    const { derivatives } = await estimator.estimate({ ...feeds, ...objective.parameters }, key);
    await estimator.release();
    return derivatives.slice();
  }
});

describe("examples that influence each other", () => {
  it("are refused for activations, with the node and the remedies, and fine for weights", async () => {
    const g = new GraphBuilder("coupled");
    const x = g.input("x", "float32", [batch, 3]);
    const w = g.parameter("w", {
      dtype: "float32",
      shape: [3, 3],
      data: Float32Array.from({ length: 9 }, (_, index) => Math.sin(index)),
    });
    const mean = g.node("ReduceMean", [x, [0]], {}, { name: "mean" })[0];
    const model = g.build({ logits: g.matMul(g.tanh(g.matMul(g.sub(x, mean), w)), w) });
    const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch });
    await expect(createEstimator(objective, { tangents: 3 })).rejects.toThrow(
      /ReduceMean node 'mean' mixes the examples.*perturb: "weights"/,
    );
    const weights = await createEstimator(objective, { perturb: "weights", tangents: 3 });
    await weights.release();
  });
});

describe("local transposes", () => {
  it("take nothing from another site: no transposed path crosses one", async () => {
    const { objective } = await smallObjective();
    const { graph } = objective;
    const sites = activationSites(graph, graph.parameters, "losses");
    expect(sites.map((site) => site.value)).toEqual(["layer1/Gemm", "layer2/Gemm", "layer3/Gemm"]);
    const placed = sites.map((site, index) => {
      const size = [5, 4, 3][index] ?? 0;
      return { ...site, size, layout: { outer: 1, inner: size }, rectified: false };
    });
    const local = localGraph(objective, { sites: placed, dimension: 12 }, { count: 6, examples: batch });
    const producer = producers(local);
    for (const site of sites) {
      for (const parameter of site.parameters) {
        const reached = new Set<string>();
        const pending = [`gradient/${parameter}`];
        while (pending.length > 0) {
          const name = pending.pop() as string;
          if (reached.has(name)) continue;
          reached.add(name);
          pending.push(...(producer.get(name)?.inputs ?? []));
        }
        const read = sites
          .filter((other) => reached.has(`tangent/${other.value}`))
          .map((other) => other.value);
        expect(read, parameter).toEqual([site.value]);
        // Nor does anything read the weights through which a backward pass would go.
        expect(
          [...reached].filter((name) => name.endsWith(".weight") && !name.startsWith("gradient/")),
        ).toEqual([]);
      }
    }
  });

  it("sum over the sites of a tied parameter, and refuse a parameter without a site", async () => {
    const g = new GraphBuilder("tied");
    const x = g.input("x", "float32", [batch, 3]);
    const w = g.parameter("w", {
      dtype: "float32",
      shape: [3, 3],
      data: Float32Array.from({ length: 9 }, (_, index) => Math.sin(index)),
    });
    const tied = g.build({ logits: g.matMul(g.tanh(g.matMul(x, w)), g.transpose(w)) });
    const objective = await compileObjective({ model: tied, loss: crossEntropy(), runtime, batch });
    const feeds = {
      ...objective.parameters,
      x: {
        dtype: "float32" as const,
        shape: [batch, 3],
        data: Float32Array.from({ length: 12 }, (_, index) => Math.cos(index)),
      },
      labels: { dtype: "int64" as const, shape: [batch], data: BigInt64Array.of(0n, 1n, 2n, 1n) },
    };
    const estimator = await activationsEstimator(objective, {
      tangents: 12,
      sampler: gaussian(),
      aggregator: aggregators.projection(),
    });
    const exact = await exactGradient(objective);
    const target = flat((await exact.estimate(feeds, key)).gradients);
    expect(relativeError(flat((await estimator.estimate(feeds, key)).gradients), target)).toBeLessThan(1e-4);

    const g2 = new GraphBuilder("free");
    const free = g2.parameter("free", { dtype: "float32", shape: [3], data: new Float32Array(3) });
    const graph = g2.build({ losses: g2.mul(free, 2) });
    expect(() => activationSites(graph, ["free"], "losses")).toThrow("perturb weights instead");
  });
});
