/** Local heads: each block's gradient is that of its own head's loss, as PyTorch has it, and they are kept by runs but not by models. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { localHeadName } from "../src/ad/names.ts";
import { blocks } from "../src/estimate/sites/blocks.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { mlp } from "../src/models/mlp.ts";
import { resnet18 } from "../src/models/resnet18.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import type { Objective } from "../src/objective/objective.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { float32, int64 } from "../src/onnx/tensor.ts";
import { keyFromSeed } from "../src/random/threefry.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import type { Tensors } from "../src/runtime/runtime.ts";
import { memoryStore } from "../src/storage/memory-store.ts";
import { loadModel } from "../src/storage/node-model.ts";
import type { RunStore } from "../src/storage/run-store.ts";
import { createEstimator, type EstimatorSettings } from "../src/train/settings/estimator.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";
import { readGolden } from "./golden.ts";
import { type ModelGolden, openGolden, unpack } from "./model-goldens.ts";
import { relativeError } from "./relative-error.ts";

const runtime = nodeRuntime({ threads: 1 });
const key = keyFromSeed(5);
const local = { perturb: blocks({ localHeads: true }) };
const golden = readGolden<
  ModelGolden & {
    readonly local: number[];
    readonly heads: string;
    readonly next: string;
    readonly gradient: string;
  }
>("local-heads.golden.json");

describe("local heads", () => {
  it.each([false, true])(
    "learn as PyTorch says, and blocks from them (low memory: %s)",
    async (lowMemory) => {
      const { objective, feeds } = await openGolden(golden, runtime);
      const estimator = await createEstimator(objective, { ...local, lowMemory });
      const state = estimator.init?.() ?? {};
      const arrays = Object.entries(state).filter(
        ([name]) => /^local-head\/(weight|bias)\//.test(name) && !/\/(mean|square)$/.test(name),
      );
      const given = unpack(golden.heads);
      let start = 0;
      for (const [, data] of arrays) {
        data.set(given.slice(start, start + data.length));
        start += data.length;
      }
      expect(start).toBe(given.length);
      const { loss, gradients, derivatives } = await estimator.estimate(feeds, key, state);
      expect(loss).toBeCloseTo(golden.loss, 5);
      expect(derivatives).toHaveLength(0);
      for (const [index, value] of golden.local.entries())
        expect(state[localHeadName("own losses", "")]?.[index]).toBeCloseTo(value, 5);
      const flat = golden.parameters.flatMap((name) => [...(gradients[name] as Float32Array)]);
      expect(relativeError(flat, unpack(golden.gradient))).toBeLessThan(1e-5);
      const next = arrays.flatMap(([, data]) => [...data]);
      expect(relativeError(next, unpack(golden.next))).toBeLessThan(1e-5);
      await estimator.release();
    },
  );

  const folder = join(import.meta.dirname, "cases/blocks");
  const known = JSON.parse(readFileSync(join(folder, "blocks.golden.json"), "utf8")) as {
    readonly pictures: number[];
    readonly labels: number[];
  };
  const exported = async (file: string) => {
    const batch = known.labels.length;
    const model = loadModel(join(folder, file));
    const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch });
    return {
      objective,
      feeds: { pictures: float32(known.pictures, [batch, 1, 6, 6]), labels: int64(known.labels, [batch]) },
    };
  };
  const built = async (model: Parameters<typeof compileObjective>[0]["model"], size: number[]) => {
    const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch: 2 });
    const numbers = Array.from({ length: 2 * size.reduce((a, b) => a * b) }, (_, place) => Math.sin(place));
    return { objective, feeds: { input: float32(numbers, [2, ...size]), labels: int64([0, 2]) } };
  };

  it.each<[string, () => Promise<{ objective: Objective; feeds: Tensors }>, RegExp, RegExp, number]>([
    ["a transformer that PyTorch exported", () => exported("script.onnx"), /layers\.0\./, /layers\.1\./, 2],
    ["one of its newer exporter", () => exported("scopes.onnx"), /layers\.0\./, /layers\.1\./, 2],
    [
      "a ResNet",
      () => built(resnet18({ input: [1, 16, 16], outputs: 3, width: 4, norm: "group" }), [1, 16, 16]),
      /^layer1\.0\./,
      /^layer1\.1\./,
      8,
    ],
    [
      "dense layers",
      () => built(mlp({ input: [5], hidden: [6, 6, 6], outputs: 3 }), [5]),
      /^layer1\./,
      /^layer2\./,
      2,
    ],
  ])("hand nothing from one block to the one before in %s", async (_, open, first, second, count) => {
    const { objective, feeds } = await open();
    const estimator = await createEstimator(objective, local);
    const state = estimator.init?.() ?? {};
    expect(state[localHeadName("own losses", "")]).toHaveLength(count);
    const estimate = async (parameters: Tensors) => {
      const { gradients } = await estimator.estimate(
        { ...parameters, ...feeds },
        key,
        Object.fromEntries(Object.entries(state).map(([name, data]) => [name, data.slice()])),
      );
      return Object.fromEntries(Object.entries(gradients).map(([name, data]) => [name, data.slice()]));
    };
    const before = await estimate(objective.parameters);
    const changed = Object.entries(objective.parameters).map(([name, tensor]) => [
      name,
      second.test(name) ? { ...tensor, data: tensor.data.map((value) => 1.5 * value + 0.01) } : tensor,
    ]);
    const after = await estimate(Object.fromEntries(changed));
    const own = Object.keys(before).filter((name) => first.test(name));
    expect(own.length).toBeGreaterThan(1);
    expect(own.some((name) => before[name]?.some((value) => value !== 0))).toBe(true);
    for (const name of own) expect(after[name]).toEqual(before[name]);
    const others = Object.keys(before).filter((name) => second.test(name));
    expect(others.some((name) => String(after[name]) !== String(before[name]))).toBe(true);
    await estimator.release();
  });

  const inputs = Float32Array.from({ length: 240 }, (_, place) => Math.sin(7 * place));
  const labels = Int32Array.from({ length: 60 }, (_, place) => Number((inputs[4 * place] as number) > 0.3));
  const run = async (
    store: RunStore,
    until = -1,
    resume = false,
    perturb: TrainOptions["perturb"] = local.perturb,
  ) => {
    const stop = new AbortController();
    const model = mlp({ input: [4], hidden: [8, 8], outputs: 2, seed: 1 });
    const settings = {
      model,
      examples: { inputs, labels },
      runtime,
      store,
      resume,
      batch: 10,
      steps: 30,
      seed: 3,
    };
    let saved: Uint8Array | undefined;
    const notes: string[] = [];
    for await (const event of train({ ...settings, perturb, optimizer: "adam", signal: stop.signal })) {
      if (event.kind === "start")
        notes.push(...event.notes.map(({ message }) => message), `local ${event.isLocal}`);
      if (event.kind === "step" && event.step === until) stop.abort();
      if (event.kind === "done") saved = event.model;
    }
    return { saved, notes };
  };

  it("are in checkpoints and not in the saved model, and a stopped run goes on with the same bytes", async () => {
    const whole = await run(memoryStore());
    expect(whole.notes.join()).toMatch(/another training objective than the model's loss.*local true/);
    const names = [...decodeModel(whole.saved as Uint8Array).initializers.keys()];
    expect(names.filter((name) => /head/.test(name))).toEqual([]);
    const store = memoryStore();
    expect((await run(store, 11)).saved).toBeUndefined();
    const text = new TextDecoder("latin1").decode(store.files.get("checkpoint/state.safetensors"));
    expect(text).toContain(localHeadName("weight", ""));
    expect((await run(store, -1, true)).saved).toEqual(whole.saved);
  });

  it("are no change of a run at blocks that began before there were any", async () => {
    const store = memoryStore();
    const whole = await run(memoryStore(), -1, false, "blocks");
    await run(store, 11, false, "blocks");
    const config = JSON.parse(new TextDecoder().decode(store.files.get("config.json")));
    expect(config.perturb.localHeads).toBe(false);
    delete config.perturb.localHeads;
    store.files.set("config.json", new TextEncoder().encode(JSON.stringify(config)));
    expect((await run(store, -1, true, "blocks")).saved).toEqual(whole.saved);
    store.files.set("config.json", new TextEncoder().encode(JSON.stringify(config)));
    await expect(run(store, -1, true)).rejects.toThrow(/localHeads was unset, now true/);
  });

  it.each<[EstimatorSettings, RegExp]>([
    [
      { perturb: blocks({ localHeads: true, guess: "feedback" }) },
      /without tangents or guesses; leave .*guess/,
    ],
    [
      { perturb: blocks({ localHeads: true, shareTangents: true }) },
      /leave perturb\.shareTangents: true out/,
    ],
    [{ ...local, gradient: "simulated" }, /leave gradient: … out/],
    [
      { perturb: blocks({ localHeads: true, pattern: /layer[12]/ }) },
      /blocks of .* leave none|needs two blocks/,
    ],
    [{ perturb: { name: "activations", localHeads: true } as never }, /belongs to blocks/],
  ])("answer what they cannot go with: %o", async (settings, message) => {
    const { objective } = await built(mlp({ input: [5], hidden: [], outputs: 3 }), [5]);
    await expect((async () => createEstimator(objective, settings))()).rejects.toThrow(message);
  });
});
