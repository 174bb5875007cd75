import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import type { Tensor } from "../src/onnx/tensor.ts";
import { sgd } from "../src/optim/sgd.ts";
import type { Runtime } from "../src/runtime/runtime.ts";
import { type Checkpoint, loadCheckpoints, saveCheckpoint } from "../src/storage/checkpoint.ts";
import { crc32, faultOfMetrics, soundLines } from "../src/storage/metrics.ts";
import { runFolder } from "../src/storage/node-run-folder.ts";
import { checkpointFiles } from "../src/storage/own-files.ts";
import type { RunStore } from "../src/storage/run-store.ts";
import { decodeSafetensors, encodeSafetensors } from "../src/storage/safetensors.ts";
import { evaluateModel } from "../src/train/evaluation/evaluate-model.ts";
import type { TrainEvent } from "../src/train/events.ts";
import type { RunState } from "../src/train/run-state.ts";
import { loadRunCheckpoint, runStateSchema } from "../src/train/run-state-schema.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";
import { examples, memory, model, runtime } from "./circle.ts";
import { temporaryFolder } from "./cli.ts";

const settings = {
  ...{ model, examples, runtime, batch: 32, steps: 60, learningRate: 0.1 },
  optimizer: sgd({ momentum: 0.9 }),
};

async function run(
  store: RunStore,
  options: Partial<TrainOptions> = {},
  stopAt?: number,
): Promise<TrainEvent[]> {
  const kept: TrainEvent[] = [];
  const controller = new AbortController();
  for await (const event of train({ ...settings, store, signal: controller.signal, ...options })) {
    kept.push(event);
    if (event.kind === "step" && event.step === stopAt) controller.abort();
  }
  return kept;
}

const warningsOf = (events: readonly TrainEvent[]) =>
  events.flatMap((event) => (event.kind === "warning" ? [event.message] : [])).join();

/** A run that stopped at step 20, and its newest checkpoint. */
async function stopped() {
  const store = memory();
  await run(store, {}, 20);
  const { newest } = await loadCheckpoints(store, runStateSchema);
  if (!newest) throw new Error("A run that stopped has a checkpoint.");
  return { store, newest };
}

const whole = (async () => {
  const store = memory();
  await run(store);
  return store.files.get("model.onnx");
})();

describe("checkpoints", () => {
  it("of a run that was stopped before it began have no step, and go on to the same bytes", async () => {
    const store = memory();
    const events = await run(store, { signal: AbortSignal.abort() });
    expect(events.at(-1)).toMatchObject({ kind: "interrupted", step: 0, steps: 60 });
    expect(events.some(({ kind }) => kind === "step")).toBe(false);
    await run(store, { resume: true });
    expect(store.files.get("model.onnx")).toEqual(await whole);
  });

  it("come with the model as it is, which has learned from the steps before", async () => {
    const losses: number[] = [];
    for (const step of [0, 20]) {
      const events = await run(memory(), step === 0 ? { signal: AbortSignal.abort() } : {}, step);
      const last = events.at(-1);
      if (last?.kind !== "interrupted") throw new Error(`Step ${step} is followed by ${last?.kind}.`);
      const measured = await evaluateModel({
        model: decodeModel(last.model),
        parameters: {},
        examples: { ...examples, count: examples.labels.length, shape: [2] },
        loss: crossEntropy(),
        runtime,
      });
      losses.push(measured.loss);
    }
    const [before = 0, after = 0] = losses;
    expect(after).toBeLessThan(0.9 * before);
  });

  it("are two, and a damaged one gives way to the other, for the same bytes", async () => {
    for (const file of checkpointFiles)
      for (const damage of ["bit", "cut", "empty"] as const) {
        const { store, newest } = await stopped();
        const bytes = store.files.get(file) as Uint8Array;
        const damaged =
          damage === "cut" ? bytes.slice(0, 200) : damage === "bit" ? bytes.slice() : new Uint8Array();
        if (damage === "bit") damaged[bytes.length - 5] = (damaged[bytes.length - 5] as number) ^ 4;
        store.files.set(file, damaged);
        const events = await run(store, { resume: true });
        expect(events[0]).toMatchObject({ kind: "start", step: file === newest.file ? 18 : 20 });
        if (damage !== "empty") expect(warningsOf(events)).toContain(`memory/${file}`);
        expect(store.files.get("model.onnx")).toEqual(await whole);
      }
  });

  it("of the version before formats are read", async () => {
    const old = resolve(import.meta.dirname, "cases/old-run");
    const folder = join(temporaryFolder(), "run");
    // The configuration is today's: it describes the engine and the model's bytes, which may change.
    await run(runFolder(folder), { perturb: { name: "activations", guess: "none" } }, 20);
    for (const name of ["checkpoint/state.safetensors", "metrics.jsonl"])
      cpSync(join(old, name), join(folder, name));
    writeFileSync(join(folder, "checkpoint/state-2.safetensors"), "");
    const before = await loadRunCheckpoint(runFolder(old));
    const events = await run(runFolder(folder), { resume: true });
    expect(events[0]).toMatchObject({ kind: "start", step: 20 });
    expect(events.at(-1)).toMatchObject({ kind: "done", result: { steps: 60 } });
    expect(before?.state).toMatchObject({ step: 20, metricsBytes: 165, metricsSum: undefined });
    // From NumPy: the float32 numbers at the header's offsets of parameter/layer1.bias.
    expect([...(before?.parameters["layer1.bias"]?.data ?? [])].slice(0, 2).map(Number)).toEqual([
      -0.12284079939126968, -0.1487327665090561,
    ]);
    expect(readFileSync(join(folder, "metrics.jsonl"), "utf8").split("\n")[0]).toBe(
      readFileSync(join(old, "metrics.jsonl"), "utf8").trimEnd(),
    );
  });

  it("are compared before anything is differentiated, and a run that is held before the model is run", async () => {
    const { store } = await stopped();
    const names: string[] = [];
    const watched: Runtime = {
      ...runtime,
      createSession(bytes, options) {
        const { inputs, outputs } = decodeModel(bytes);
        names.push(...[...inputs, ...outputs].map(({ name }) => name));
        return runtime.createSession(bytes, options);
      },
    };
    await expect(run(store, { runtime: watched })).rejects.toThrow("memory already holds a run");
    expect(names).toEqual([]);
    await expect(run(store, { runtime: watched, resume: true, learningRate: 0.2 })).rejects.toThrow(
      "learningRate was 0.1, now 0.2",
    );
    expect(names).toContain("input");
    const differentiated = () => names.filter((name) => /^(tangent|gradient)\//.test(name));
    expect(differentiated()).toEqual([]);
    await run(store, { runtime: watched, resume: true });
    expect(differentiated()).not.toEqual([]);
  });

  it("are checked before anything of them is used", async () => {
    const { newest } = await stopped();
    const { parameters, optimizer, state } = newest.checkpoint;
    const [name, tensor] = Object.entries(parameters)[0] as [string, Tensor];
    const double: Tensor = { ...tensor, dtype: "float64", data: new Float64Array(tensor.data.length) };
    const wrong: [Partial<Checkpoint<RunState>>, RegExp][] = [
      [
        { parameters: { ...parameters, [name]: { ...tensor, shape: [...tensor.shape].reverse() } } },
        /does not fit this run: it holds .*float32 \[\d+, \d+\] where/,
      ],
      [{ parameters: { ...parameters, [name]: double } }, /float64/],
      [{ parameters: { ...parameters, extra: tensor } }, /holds extra/],
      [{ parameters: {} }, /holds nothing else where the run has/],
      [{ optimizer: {} }, /where the run has velocity/],
      [{ optimizer: { ...optimizer, more: new Float32Array(1) } }, /more: 1 numbers/],
      [{ state: { ...state, step: 61 } }, /step 61 of a run of 60/],
      [{ state: { ...state, step: -1 } }, /'step' missing or out of bounds/],
      [{ state: { ...state, step: 3 } }, /counts 20 steps within a run of 3/],
      [{ state: { ...state, metricsBytes: 1.5 } }, /'metricsBytes'/],
      [{ state: { ...state, timedSeconds: Number.POSITIVE_INFINITY } }, /'timedSeconds'/],
    ];
    for (const [change, message] of wrong) {
      const { store } = await stopped();
      const config = newest.config;
      for (const file of checkpointFiles)
        await saveCheckpoint(store, { ...newest.checkpoint, ...change }, { file, number: 9, config });
      const before = new Map(store.files);
      await expect(run(store, { resume: true }), `${message}`).rejects.toThrow(message);
      expect(store.files).toEqual(before);
    }
  });

  it("say which version can read them", async () => {
    const { store, newest } = await stopped();
    const { tensors, metadata } = decodeSafetensors(store.files.get(newest.file) as Uint8Array, "state");
    const later = encodeSafetensors(tensors, { ...metadata, format: "3" });
    for (const file of checkpointFiles) store.files.set(file, later);
    await expect(run(store, { resume: true })).rejects.toThrow(
      'has the format "3", and this version reads 2',
    );
  });
});

describe("safetensors files", () => {
  const header = (text: string, data = 8) => {
    const head = new TextEncoder().encode(text);
    const bytes = new Uint8Array(8 + head.length + data);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(head.length), true);
    bytes.set(head, 8);
    return bytes;
  };
  const entry = (shape: string, from: number, to: number, dtype = "F32") =>
    `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${from},${to}]}`;
  it("are read in whatever order their header lists them", () => {
    const bytes = header(`{"b":${entry("[1]", 4, 8)},"a":${entry("[1]", 0, 4)}}`);
    expect(Object.keys(decodeSafetensors(bytes, "x").tensors)).toEqual(["a", "b"]);
    const named = header(`{"__proto__":${entry("[2]", 0, 8)}}`);
    expect(Object.entries(decodeSafetensors(named, "x").tensors)[0]?.[0]).toBe("__proto__");
  });
  it.each([
    ["is cut off", new Uint8Array(5), "it has 5 bytes"],
    ["ends in its header", header("{}", 0).subarray(0, 9), "its header ends at byte 10 of 9"],
    ["has a header as long as memory", new Uint8Array(8).fill(255), "its header ends at byte"],
    ["has no JSON", header("{x}"), "JSON"],
    ["lists no tensors", header('{"a":[1]}'), "'a' is no tensor"],
    ["reaches past its end", header(`{"a":${entry("[3]", 0, 12)}}`), "cut off or out of place"],
    [
      "overlaps",
      header(`{"a":${entry("[2]", 0, 8)},"b":${entry("[1]", 4, 8)}}`),
      "'b' is cut off or out of place",
    ],
    ["leaves a gap", header(`{"a":${entry("[1]", 4, 8)}}`), "'a' is cut off or out of place"],
    ["is longer than its tensors", header(`{"a":${entry("[1]", 0, 4)}}`), "4 bytes follow its tensors"],
    ["has a size below 0", header(`{"a":${entry("[-2]", 0, 8)}}`), "'a' is no tensor"],
    ["has an unknown type", header(`{"a":${entry("[2]", 0, 8, "F99")}}`), `unknown type "F99" of 'a'`],
  ])("that %s are refused", (_, bytes, message) => {
    expect(() => decodeSafetensors(bytes, "odd.safetensors")).toThrow(
      `odd.safetensors is no complete safetensors file: `,
    );
    expect(() => decodeSafetensors(bytes, "odd.safetensors")).toThrow(message);
  });
});

describe("metrics", () => {
  const text = '{"kind":"train","step":50}\n{"kind":"epoch","step":60}\n';
  const bytes = new TextEncoder().encode(text);
  const place = { step: 60, metricsBytes: bytes.length, metricsSum: crc32(bytes) };
  const faultOf = (changed: string) => faultOfMetrics(new TextEncoder().encode(changed), place);
  it("carry the sum that gzip has", () => {
    // zlib.crc32(b"123456789"), the check value of the algorithm.
    const digits = new TextEncoder().encode("123456789");
    expect(crc32(digits)).toBe(0xcbf43926);
    expect(crc32(digits.subarray(4), crc32(digits.subarray(0, 4)))).toBe(0xcbf43926);
  });
  it("may be longer than the checkpoint, and not shorter or other", () => {
    expect(faultOf(text)).toBeUndefined();
    expect(faultOf(`${text}{"kind":"tr`)).toBeUndefined();
    expect(faultOfMetrics(undefined, place)).toBe("is missing");
    expect(faultOf(text.slice(0, -3))).toBe(`has ${bytes.length - 3} bytes`);
    expect(faultOf(text.replace("50", "90"))).toContain("has step 90 in line 1, expected one from 0 to 60");
    expect(faultOf(text.replace("epoch", "epach"))).toContain("line 2 that is none of a run's");
    expect(faultOf(text.replace("50", "51"))).toContain("its checksum differs");
    expect(faultOf(text.replace("60}\n", "60} "))).toContain("line 2 that is cut off");
  });
  it("give their sound lines", () => {
    const line = text.indexOf("\n") + 1;
    for (const rest of ['{"kind":"ep', "x\n", '{"kind":"train","step":3}\n', '{"kind":"train","step":99}\n'])
      expect(soundLines(new TextEncoder().encode(text.slice(0, line) + rest), 60).metricsBytes).toBe(line);
  });
});
