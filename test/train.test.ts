import { describe, expect, it } from "vitest";
import { projection } from "../src/aggregate/projection.ts";
import { binaryCrossEntropy } from "../src/losses/binary-cross-entropy.ts";
import { meanSquaredError } from "../src/losses/mean-squared-error.ts";
import { mlp } from "../src/models/mlp.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { sgd } from "../src/optim/sgd.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";
import { count, examples, finish, inputs, labels, memory, model, runtime } from "./circle.ts";

describe("train", () => {
  for (const settings of [
    { perturb: "activations" },
    { perturb: "weights" },
    { perturb: "weights", aggregate: "mean" },
    { perturb: "weights", aggregate: "sum", sampler: "low-rank" },
    { perturb: "activations", aggregate: "sum", sampler: "rademacher" },
    { gradient: "exact" },
    { gradient: "simulated" },
    { aggregate: "max" },
    { perturb: "weights", aggregate: "max-normalized" },
    { perturb: "weights", aggregate: "near-best" },
    { perturb: "weights", aggregate: "mean-times-dimension" },
    { aggregate: projection({ expectedLength: true }), tangents: 4 },
    { perturb: "weights", aggregate: "mean", sampler: { name: "fixed-angle", degrees: 15 } },
    { perturb: "weights", sampler: "standard-basis" },
    { aggregate: "mean", sampler: "orthonormal", tangents: 14 },
    { aggregate: "mean", sampler: "varying-length" },
  ] as const) {
    it(`learns with ${JSON.stringify(settings)} and the default learning rate`, async () => {
      const result = await finish({ ...settings, epochs: 40, optimizer: sgd({ momentum: 0.5 }) });
      // Half of the points are inside, so a constant answer has a loss of about ln 2 = 0.69.
      expect(result.trainLoss).toBeLessThan(0.55);
      expect(result).toMatchObject({ steps: 18 * 40, epochs: 40, parameters: 62 });
    });
  }

  it("fits float targets with the other losses", async () => {
    const product = Float32Array.from({ length: 2 * count }, (_, index) => {
      const [a, b] = [
        inputs[2 * Math.floor(index / 2)] as number,
        inputs[2 * Math.floor(index / 2) + 1] as number,
      ];
      return index % 2 === 0 ? a * 0.5 : b - a;
    });
    const squared = await finish({
      examples: { inputs, labels: product },
      loss: meanSquaredError(),
      epochs: 30,
    });
    // The targets' variance is about 0.4.
    expect(squared.trainLoss).toBeLessThan(0.1);
    expect(squared.testAccuracy).toBeUndefined();
    const soft = Float32Array.from(product, (value) => (value > 0 ? 1 : 0));
    expect(
      (await finish({ examples: { inputs, labels: soft }, loss: binaryCrossEntropy(), epochs: 30 }))
        .trainLoss,
    ).toBeLessThan(0.5);
  });

  it("ignores examples labelled −100", async () => {
    const some = labels.map((label, index) => (index % 3 === 0 ? -100 : label));
    expect((await finish({ examples: { inputs, labels: some }, epochs: 40 })).trainLoss).toBeLessThan(0.55);
  });

  it("tells what takes long beside the steps, in its order", async () => {
    const told: string[] = [];
    const given = { model, examples, test: examples, runtime, batch: 32, epochs: 2, quality: { draws: 2 } };
    for await (const event of train(given))
      if (event.kind !== "step") told.push(event.kind === "stage" ? event.stage : event.kind);
    const epochs = ["validate", "epoch", "validate", "epoch"];
    expect(told).toEqual(["start", "compile", ...epochs, "test", "quality", "done"]);
  });

  it("is a function of its settings: the same twice, another seed differs, chunks and stores do not", async () => {
    const bytes = async (options: Partial<TrainOptions>) => {
      for await (const event of train({ model, examples, runtime, batch: 32, steps: 30, ...options }))
        if (event.kind === "done") return event.model;
      throw new Error("not done");
    };
    const first = await bytes({});
    expect(await bytes({})).toEqual(first);
    expect(await bytes({ store: memory() })).toEqual(first);
    expect(await bytes({ seed: 1 })).not.toEqual(first);
    expect(decodeModel(first).nodes).toEqual(decodeModel(model).nodes);
  });

  it("goes on where an aborted run stopped, and ends with the same bytes", async () => {
    const whole = memory();
    await finish({ store: whole, steps: 60, optimizer: sgd({ momentum: 0.9 }) });
    for (const moment of [1, 18, 37, 59]) {
      const store = memory();
      const stop = new AbortController();
      for await (const event of train({
        model,
        examples,
        runtime,
        batch: 32,
        steps: 60,
        optimizer: sgd({ momentum: 0.9 }),
        store,
        signal: stop.signal,
      }))
        if (event.kind === "step" && event.step === moment) stop.abort();
      await finish({ store, steps: 60, optimizer: sgd({ momentum: 0.9 }), resume: true });
      expect(store.files.get("model.onnx")).toEqual(whole.files.get("model.onnx"));
    }
  });

  it("may be left in the middle of the loop", async () => {
    for await (const event of train({ model, examples, runtime, batch: 32, epochs: 100 }))
      if (event.kind === "step" && event.step === 3) break;
  });
});

describe("bad data is refused before the first step", () => {
  const cases: [string, Partial<TrainOptions>, RegExp][] = [
    ["NaN", { examples: { inputs: inputs.with(2 * 77, Number.NaN), labels } }, /example 77/],
    [
      "infinite pixels",
      { examples: { inputs: inputs.with(1, Number.POSITIVE_INFINITY), labels } },
      /example 0/,
    ],
    ["a label out of range", { examples: { inputs, labels: labels.with(5, 2) } }, /example 5.*2|label 2/],
    ["lengths that disagree", { examples: { inputs, labels: labels.slice(1) } }, /whole number of examples/],
    [
      "float targets for class numbers",
      { examples: { inputs, labels: new Float32Array(count) } },
      /choose the loss that fits/,
    ],
    ["class numbers for float targets", { loss: meanSquaredError() }, /choose the loss that fits/],
    [
      "targets of another size",
      { examples: { inputs, labels: new Float32Array(count) }, loss: meanSquaredError() },
      /must have the shape of the output/,
    ],
    ["no data", { examples: undefined }, /train needs examples/],
    ["an unknown output", { output: "logit" }, /no output 'logit'.*'logits'/],
    ["nothing trainable", { trainable: () => false }, /nothing to train/],
    ["zero tangents", { tangents: 0 }, /tangents must be a whole number from 1/],
    ["low-rank activations", { sampler: "low-rank" }, /or perturb weights/],
    ["a learning rate of zero", { learningRate: 0 }, /learningRate must be a number above 0/],
  ];
  for (const [name, options, message] of cases) {
    it(name, async () => {
      await expect(finish({ steps: 1, ...options })).rejects.toThrow(message);
    });
  }
});

describe("a diverging run", () => {
  it("keeps the parameters of its last checkpoint", async () => {
    const store = memory();
    await expect(finish({ store, learningRate: 1e5, epochs: 3, checkpointSeconds: 1e-9 })).rejects.toThrow(
      /diverged.*learningRate: /,
    );
    expect(store.files.has("checkpoint/state.safetensors")).toBe(true);
    const kept = decodeModel(store.files.get("model.onnx") as Uint8Array);
    for (const tensor of kept.initializers.values())
      expect([...(tensor.data as Float32Array)].every(Number.isFinite)).toBe(true);
  });

  it.each(["activations", "weights"] as const)(
    "is a divergence where %s' derivatives are no numbers",
    async (perturb) => {
      const store = memory();
      const relu = mlp({ input: [2], hidden: [12], outputs: 2, seed: 1 });
      const overflowing = { model: relu, store, perturb, learningRate: 1e38, checkpointSeconds: 1e-9 };
      await expect(finish(overflowing)).rejects.toMatchObject({
        name: "DivergenceError",
        message: expect.stringMatching(/derivative of step \d+ is not a number.*learningRate: /s),
      });
      expect(store.files.has("model.onnx")).toBe(true);
    },
  );
});
