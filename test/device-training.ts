/** Runs whose parameters stay on a device: they go where those on the CPU go, and only what the contract says crosses. */
import { beforeAll, describe, expect, it } from "vitest";
import { glyphs } from "../src/data/sets/glyphs.ts";
import {
  activations,
  adam,
  adamw,
  feedback,
  mlp,
  type Optimizer,
  sgd,
  type TrainEvent,
  type TrainOptions,
  train,
} from "../src/index.ts";
import { arraysOf } from "../src/objective/parameters.ts";
import { elementCount, float32, type Tensor, zeros } from "../src/onnx/tensor.ts";
import { fillNormal } from "../src/random/normal.ts";
import { compileGraph } from "../src/runtime/evaluate.ts";
import type { Runtime } from "../src/runtime/runtime.ts";
import { memoryStore } from "../src/storage/memory-store.ts";
import { optimizerGraph, stateOf } from "../src/train/descent/optimizer-graph.ts";
import { relativeError } from "./relative-error.ts";

const k = 4;
const batch = 16;
const hidden = [64, 40];
/** Numbers of each matrix and bias. */
const numbersOf = { parameters: [784 * 64, 64, 64 * 40, 40, 40 * 10, 10] };
const data = glyphs({ train: 256, test: 32 });
const options = {
  model: mlp({ input: [1, 28, 28], hidden, outputs: 10, normalization: data.normalization }),
  examples: data.train,
  ...{ tangents: k, batch, steps: 50, validation: 32 },
};
type Given = Partial<Omit<TrainOptions, "runtime">>;

const kinds: Readonly<Record<string, Given>> = {
  "the default": {},
  "a rate of one's own, no guess, and momentum that looks ahead": {
    perturb: activations({ guess: "none" }),
    optimizer: sgd({ momentum: 0.9, nesterov: true, weightDecay: 1e-3 }),
    learningRate: 0.02,
  },
  "shared normal tangents, AdamW and clipping": {
    perturb: activations({ shareTangents: true, guess: feedback() }),
    ...{ sampler: "gaussian", optimizer: adamw(), learningRate: 0.002, clip: 0.5 },
  },
  "exact gradients": { gradient: "exact", tangents: undefined },
  "exact gradients, Adam and clipping": {
    ...{ gradient: "exact", tangents: undefined, optimizer: adam(), learningRate: 0.003, clip: 1 },
  },
  "signs of all weights": { perturb: "weights" },
  "low-rank weights, and momentum": {
    ...{ perturb: "weights", sampler: "low-rank", optimizer: sgd({ momentum: 0.8 }), learningRate: 0.01 },
  },
  "weights at a fixed angle, whose Gram matrix is in float64": {
    ...{ perturb: "weights", sampler: "fixed-angle" },
  },
  "more tangents than Gram matrices in float32 are for": { tangents: 24 },
  "the same, shared and without a guess": {
    ...{ tangents: 24, sampler: "rademacher" },
    perturb: activations({ shareTangents: true, guess: "none" }),
  },
};

/** Those that are done where shaders run in software, where 50 steps by signs of all weights take many minutes. */
const first = ["the default", "exact gradients"];

async function collect(runtime: Runtime, given: Given): Promise<TrainEvent[]> {
  const events: TrainEvent[] = [];
  for await (const event of train({ ...options, ...given, runtime })) events.push(event);
  return events;
}
const stepsOf = (events: readonly TrainEvent[]) =>
  events.flatMap((each) => (each.kind === "step" ? [each] : []));
const doneOf = (events: readonly TrainEvent[]) =>
  events.flatMap((each) => (each.kind === "done" ? [each] : []))[0];

/** What holds of a device. */
export interface DeviceTrial {
  /** Of relative differences of losses. */
  readonly bound: number;
  /** Whether the device draws signs. */
  readonly drawsThere: boolean;
  /** Whether steps take long, because its shaders run in software: the most necessary ones are done. */
  readonly isSlow: boolean;
}

/** Runs a suite of training on a device. */
export function deviceTraining(
  name: string,
  open: () => Runtime | Promise<Runtime>,
  openCpu: () => Runtime | Promise<Runtime>,
  { bound, drawsThere, isSlow }: DeviceTrial,
): void {
  describe(`runs on ${name}`, () => {
    let device: Runtime;
    let cpu: Runtime;
    beforeAll(async () => {
      device = await open();
      cpu = await openCpu();
    });

    for (const [kind, given] of Object.entries(kinds))
      it.skipIf(isSlow && !first.includes(kind))(`take the steps of the CPU: ${kind}`, async () => {
        const there = await collect(device, given);
        const here = await collect(cpu, given);
        const [losses, expected] = [there, here].map((events) => stepsOf(events).map(({ loss }) => loss));
        expect(losses).toHaveLength(50);
        for (const [step, loss] of (losses ?? []).entries())
          expect(Math.abs(loss / (expected?.[step] ?? 0) - 1), `step ${step + 1}`).toBeLessThan(bound);
        const [result, like] = [there, here].map((events) => doneOf(events)?.result);
        expect(Math.abs((result?.validationLoss ?? 0) / (like?.validationLoss ?? 0) - 1)).toBeLessThan(bound);
        // Whatever is held: parameters and gradients of 53,954 numbers never cross again.
        for (const { transferred } of stepsOf(there).slice(1))
          expect((transferred?.down ?? Number.NaN) / 4).toBeLessThan(20_000);
        expect(stepsOf(here).every(({ transferred }) => transferred === undefined)).toBe(true);
      });

    /** The bytes of each step of a run, after its first one, which takes parameters and what is remembered there. */
    const crossedOf = async (given: Given) => {
      const [begun, ...steps] = stepsOf(await collect(device, { steps: 4, ...given })).map(
        ({ transferred }) => transferred,
      );
      const { up = 0, down } = steps[0] ?? {};
      expect(begun?.down).toBe(down);
      expect(begun?.up).toBeGreaterThan(up);
      expect(steps).toEqual([steps[0], steps[0], steps[0]]);
      return steps[0];
    };
    /** Numbers of the batch: its inputs, and labels of 64 bits, once for all graphs of a step. */
    const examples = 784 * batch + 2 * batch;
    /** A row of signs is drawn from three words, and five for each tangent. */
    const keys = 3 + 5 * k;

    it("count what crosses: the batch, coefficients and keys up; losses, derivatives and Gram matrices down", async () => {
      const perExample = k * batch;
      // The guess reads the exact gradient at the second layer's end, and of the first one's end all tangents.
      const [size = 0] = hidden;
      const tangents = drawsThere ? keys : perExample * size;
      // What a guess counts, the scale of a gradient, and the rate.
      const up = 4 * (examples + perExample + 3 + tangents);
      // The loss; derivatives, and what of them was foreseen; Gram matrices with how many numbers are active; the gradient's length.
      const down = 4 * (1 + 2 * perExample + batch * k * k + batch + 1);
      expect(await crossedOf({})).toEqual({ up, down });
    });

    it("count what crosses for exact gradients: the batch up, the loss down", async () => {
      // The scale of a gradient, and the rate; its length.
      expect(await crossedOf({ gradient: "exact", tangents: undefined })).toEqual({
        up: 4 * (examples + 2),
        down: 4 * (1 + 1),
      });
    });

    it("count what crosses for weights: k coefficients and keys up, k derivatives and a Gram matrix of each parameter down", async () => {
      const { parameters } = numbersOf;
      const tangents = drawsThere
        ? parameters.length * keys
        : k * parameters.reduce((sum, each) => sum + each);
      const down = 4 * (1 + k + parameters.length * k * k + 1);
      const up = 4 * (examples + k + 2 + tangents);
      expect(await crossedOf({ perturb: "weights" })).toEqual({ up, down });
    });

    it.skipIf(isSlow)(
      "count what crosses where Gram matrices are in float64: tangents up, which numbers are active down",
      async () => {
        const [size = 0] = hidden;
        const many = 24;
        const up = 4 * (examples + many * batch + 3 + many * batch * size);
        const down = 4 * (1 + 2 * many * batch + batch * size + 1);
        expect(await crossedOf({ tangents: many })).toEqual({ up, down });
      },
    );

    it("move parameters as JavaScript's optimizers do", async () => {
      const shapes = { matrix: [3, 5], bias: [4], number: [] };
      const numbers = (seed: number, scale: number) =>
        Object.fromEntries(
          Object.entries(shapes).map(([name, shape], stream) => {
            const data = new Float32Array(elementCount(shape));
            fillNormal([seed, stream], 0, data, scale);
            return [name, { dtype: "float32" as const, shape, data }];
          }),
        );
      const optimizers: readonly Optimizer[] = [
        sgd(),
        sgd({ momentum: 0.9, weightDecay: 0.1 }),
        sgd({ momentum: 0.8, nesterov: true }),
        adam({ weightDecay: 0.1 }),
        adamw({ beta1: 0.8, weightDecay: 0.2 }),
      ];
      for (const optimizer of optimizers) {
        const { rule } = optimizer;
        if (!rule) throw new Error("an optimizer of ours has a rule");
        const parameters = numbers(1, 1);
        const arrays = arraysOf(parameters);
        const state = optimizer.init(arrays);
        const own = Object.fromEntries(Object.entries(state).map(([name, data]) => [name, data.slice()]));
        const feeds: Record<string, Tensor> = {};
        for (const [name, tensor] of Object.entries(parameters)) {
          feeds[`parameter/${name}`] = { ...tensor, data: tensor.data.slice() };
          for (const what of stateOf(rule)) feeds[`${what}/${name}`] = zeros("float32", tensor.shape);
        }
        const session = await compileGraph(device, optimizerGraph(rule, parameters));
        for (let step = 1; step <= 4; step++) {
          const gradients = numbers(step + 1, 0.3);
          const halved = Object.fromEntries(
            Object.entries(arraysOf(gradients)).map(([name, data]) => [name, data.map((value) => value / 2)]),
          );
          const scalars = { scale: 0.5, ...("beta1" in rule ? rule.begin(own, 0.05) : { rate: 0.05 }) };
          for (const [name, each] of Object.entries(scalars)) feeds[name] = float32([each], []);
          for (const [name, each] of Object.entries(gradients)) feeds[`gradient/${name}`] = each;
          for (const [name, tensor] of Object.entries(await session.run(feeds)))
            feeds[name.replace("next/", "")] = tensor;
          optimizer.update(arrays, halved, state, 0.05);
        }
        const what = `${optimizer.name} ${JSON.stringify(optimizer.config)}`;
        for (const [name, expected] of Object.entries(arrays))
          expect(
            relativeError(feeds[`parameter/${name}`]?.data as Float32Array, expected),
            what,
          ).toBeLessThan(1e-5);
        await session.release();
      }
    });

    it.skipIf(isSlow)(
      "go on from a checkpoint, measure their quality, and give their model at any time",
      async () => {
        const whole = await collect(device, { steps: 12 });
        const store = memoryStore();
        const stop = new AbortController();
        for await (const event of train({
          ...options,
          steps: 12,
          runtime: device,
          store,
          signal: stop.signal,
        }))
          if (event.kind === "step" && event.step === 5) stop.abort();
        const rest = await collect(device, { steps: 12, store, resume: true });
        expect(stepsOf(rest).map(({ step, loss }) => [step, loss])).toEqual(
          stepsOf(whole)
            .slice(5)
            .map(({ step, loss }) => [step, loss]),
        );
        expect(doneOf(rest)?.model).toEqual(doneOf(whole)?.model);
        // Looking on changes nothing.
        const watched = await collect(device, { steps: 12, quality: { every: 5, draws: 2 } });
        expect(stepsOf(watched).map(({ loss }) => loss)).toEqual(stepsOf(whole).map(({ loss }) => loss));
        const { quality } = stepsOf(watched)[9] ?? {};
        const { quality: expected } =
          stepsOf(await collect(cpu, { steps: 12, quality: { every: 5, draws: 2 } }))[9] ?? {};
        expect(quality?.cosine).toBeCloseTo(expected?.cosine ?? 0, 3);
      },
    );
  });
}
