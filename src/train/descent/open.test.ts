import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { glyphs } from "../../data/sets/glyphs.ts";
import type { EstimatorPlan } from "../../estimate/estimator.ts";
import { crossEntropy } from "../../losses/cross-entropy.ts";
import { mlp } from "../../models/mlp.ts";
import { compileObjective } from "../../objective/compile-objective.ts";
import type { Objective } from "../../objective/objective.ts";
import { arraysOf, copyTensors, setParameters } from "../../objective/parameters.ts";
import { adamw } from "../../optim/adamw.ts";
import type { Optimizer } from "../../optim/optimizer.ts";
import { sgd } from "../../optim/sgd.ts";
import { keyFromSeed } from "../../random/threefry.ts";
import { nodeRuntime } from "../../runtime/node.ts";
import type { Runtime, Tensors } from "../../runtime/runtime.ts";
import type { EstimatorSettings } from "../settings/estimator.ts";
import { planEstimator, resolveEstimator } from "../settings/estimator.ts";
import { train } from "../train.ts";
import { createDescent, openDescent } from "./open.ts";

const runtime = nodeRuntime({ threads: 1 });
const batch = 8;
const data = glyphs({ train: 64, test: 10 });
const model = () => mlp({ input: [1, 28, 28], hidden: [48, 32], outputs: 10 });
const kinds: Record<string, EstimatorSettings> = {
  exact: { gradient: "exact" },
  activations: { perturb: "activations", tangents: 4 },
  "activations with feedback": { perturb: { name: "activations", guess: "feedback" }, tangents: 4 },
  "low-rank weights": { perturb: "weights", sampler: "low-rank", tangents: 4 },
};

async function problem(on: Runtime = runtime): Promise<{ objective: Objective; feeds: Tensors }> {
  const objective = await compileObjective({ model: model(), loss: crossEntropy(), runtime: on, batch });
  const input = {
    dtype: "float32" as const,
    shape: [batch, 1, 28, 28],
    data: Float32Array.from(data.train.inputs as ArrayLike<number>).slice(0, batch * 784),
  };
  const labels = {
    dtype: "int64" as const,
    shape: [batch],
    data: BigInt64Array.from({ length: batch }, (_, index) => BigInt(index)),
  };
  return { objective, feeds: { ...objective.parameters, input, labels } };
}

const planned = (
  objective: Objective,
  settings: EstimatorSettings,
  factored: boolean,
): Promise<EstimatorPlan> => planEstimator(objective, resolveEstimator(settings), { factored });

/** The largest difference, as a share of the largest number. */
function difference(a: Float32Array, b: Float32Array): number {
  const largest = b.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return (
    a.reduce((most, value, index) => Math.max(most, Math.abs(value - (b[index] as number))), 0) / largest
  );
}

for (const [name, settings] of Object.entries(kinds))
  describe(`plain descent by ${name}`, () => {
    it("happens inside of the products of large gradients, and goes where the optimizer goes", async () => {
      const { objective, feeds } = await problem();
      const arrays = arraysOf(objective.parameters);
      const first = copyTensors(objective.parameters);
      const key = keyFromSeed(3);
      const moved = async (factored: boolean, rate: number) => {
        setParameters(arrays, first);
        const descent = await openDescent(objective, await planned(objective, settings, factored), sgd());
        const { estimator, whole } = descent;
        expect(Object.keys(estimator.products ?? {})).toEqual(factored ? ["layer1.weight"] : []);
        const all = await whole.estimate(feeds, key);
        expect(Object.keys(all.gradients)).toEqual(Object.keys(objective.parameters));
        const copies = Object.entries(all.gradients).map(([each, values]) => [each, values.slice()] as const);
        const { gradients } = await estimator.estimate(feeds, key);
        expect(descent.isFinite(gradients)).toBe(true);
        await descent.step(arrays, gradients, {}, rate);
        await descent.release();
        return { gradients: Object.fromEntries(copies), parameters: copyTensors(objective.parameters) };
      };
      await fc.assert(
        fc.asyncProperty(fc.double({ min: 1e-6, max: 10, noNaN: true }), async (rate) => {
          const [inside, outside] = [await moved(true, rate), await moved(false, rate)];
          for (const [parameter, values] of Object.entries(outside.gradients)) {
            expect(difference(inside.gradients[parameter] as Float32Array, values), parameter).toBeLessThan(
              1e-6,
            );
            const [a, b] = [inside, outside].map(
              ({ parameters }) => parameters[parameter]?.data as Float32Array,
            );
            expect(difference(a as Float32Array, b as Float32Array), parameter).toBeLessThan(1e-6);
            expect(a).not.toEqual(first[parameter]?.data);
          }
        }),
        { numRuns: 3 },
      );
    });
  });

it("steps by the optimizer where an engine writes before it reads", async () => {
  const hasty: Runtime = {
    ...runtime,
    async createSession(bytes, options) {
      const session = await runtime.createSession(bytes, options);
      return {
        ...{ outputTypes: session.outputTypes, release: () => session.release() },
        run(feeds, fetches) {
          if (fetches && !Array.isArray(fetches))
            for (const { data: numbers } of Object.values(fetches as Tensors))
              (numbers as Float32Array).fill(0 as never);
          return session.run(feeds, fetches);
        },
      };
    },
  };
  const parameters: Float32Array[] = [];
  for (const on of [hasty, runtime]) {
    const { objective, feeds } = await problem(on);
    const descent = await openDescent(
      objective,
      await planned(objective, { gradient: "exact" }, true),
      sgd(),
    );
    const { gradients } = await descent.estimator.estimate(feeds, [0, 0]);
    await descent.step(arraysOf(objective.parameters), gradients, {}, 0.1);
    parameters.push(objective.parameters["layer1.weight"]?.data as Float32Array);
    await descent.release();
  }
  expect(difference(parameters[0] as Float32Array, parameters[1] as Float32Array)).toBeLessThan(1e-6);
});

it("takes the same steps in a loop of one's own", async () => {
  for (const [optimizer, rate, products] of [
    [sgd(), 1e-6, ["layer1.weight"]],
    [adamw(), 1e-5, []],
  ] as const) {
    const { objective, feeds } = await problem();
    const arrays = arraysOf(objective.parameters);
    const descent = await createDescent(objective, { gradient: "exact" }, optimizer);
    expect(Object.keys(descent.estimator.products ?? {})).toEqual(products);
    const state = optimizer.init(arrays);
    const losses: number[] = [];
    for (let step = 0; step < 5; step++) {
      const { loss, gradients } = await descent.estimator.estimate(feeds, keyFromSeed(step));
      losses.push(loss);
      await descent.step(arrays, gradients, state, rate);
    }
    expect(losses[4]).toBeLessThan(losses[0] as number);
    await descent.release();
  }
});

it("a factor that is not finite is seen, and what is done aside leaves it as it was", async () => {
  const { objective, feeds } = await problem();
  const descent = await openDescent(
    objective,
    await planned(objective, kinds.activations ?? {}, true),
    sgd(),
  );
  const estimate = await descent.estimator.estimate(feeds, keyFromSeed(1));
  const { left } = descent.estimator.products?.["layer1.weight"] ?? {};
  const factor = left?.data as Float32Array;
  const before = factor.slice();
  const own = await descent.aside(estimate, async (whole) => {
    const gradient = whole.gradients["layer1.weight"]?.slice();
    await descent.whole.estimate(feeds, keyFromSeed(2));
    expect(factor).not.toEqual(before);
    return gradient;
  });
  expect(own?.length).toBe(48 * 784);
  expect(factor).toEqual(before);
  factor[5] = Number.NaN;
  expect(descent.isFinite(estimate.gradients)).toBe(false);
  await descent.release();
});

describe("a run", () => {
  const parametersOf = async (settings: object) => {
    for await (const event of train({
      ...{ model: model(), examples: data.train, runtime, steps: 6, batch, validation: 8, tangents: 4 },
      ...settings,
    }))
      if (event.kind === "done") return event.model;
    throw new Error("The run did not end.");
  };

  it("is the same bytes whether its estimates are measured or not", async () => {
    const plain = await parametersOf({});
    expect(await parametersOf({ quality: { every: 2, draws: 2 } })).toEqual(plain);
  });

  it("is the same bytes whether the kernel moves its parameters or JavaScript does", async () => {
    for (const optimizer of [sgd({ momentum: 0.9 }), adamw()]) {
      const plain = await parametersOf({ optimizer: { ...optimizer, rule: undefined } });
      const update = () => expect.unreachable("JavaScript's");
      expect(await parametersOf({ optimizer: { ...optimizer, update } })).toEqual(plain);
    }
  });

  it("takes plain steps of one's own optimizer as it takes them", async () => {
    const steps: number[] = [];
    const own: Optimizer = {
      ...{ name: "own", config: {}, init: () => ({}) },
      update(parameters, gradients, _state, rate) {
        steps.push(Object.keys(gradients).length);
        sgd().update(parameters, gradients, {}, rate);
      },
    };
    await parametersOf({ optimizer: own, learningRate: 0.1 });
    expect(steps).toEqual([6, 6, 6, 6, 6, 6]);
  });
});
