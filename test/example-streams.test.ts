/** Training on examples that come as they are needed. */
import { describe, expect, it } from "vitest";
import type { ExampleStream, StreamedExample } from "../src/data/example-stream.ts";
import { DataError, SettingError } from "../src/errors/errors.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { mlp } from "../src/models/mlp.ts";
import { encodeModelFile, modelFrom } from "../src/objective/importing/model-file.ts";
import { keyFromSeed } from "../src/random/threefry.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { memoryStore } from "../src/storage/memory-store.ts";
import type { RunStore } from "../src/storage/run-store.ts";
import { openStream } from "../src/train/batches/open-stream.ts";
import { streamedBatches } from "../src/train/batches/streamed-batches.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";

const count = 96;
const file = encodeModelFile(mlp({ input: [3], hidden: [8], outputs: 4 }));
const model = await modelFrom(file);

function example(number: number): StreamedExample {
  return { inputs: [number, Math.sin(number), Math.cos(number)], labels: number % 4 };
}

async function* numbers(of = count): AsyncGenerator<StreamedExample> {
  for (let number = 0; number < of; number++) yield example(number);
}

const base = {
  model: file,
  runtime: nodeRuntime({ threads: 1 }),
  batch: 8,
  epochs: 3,
  // A checkpoint each step, of which a kill takes the last.
  checkpointSeconds: 0,
} as const;

async function run(
  examples: ExampleStream,
  options: Partial<TrainOptions> & { readonly store: RunStore },
  stopAt?: number,
): Promise<Uint8Array | undefined> {
  for await (const event of train({ ...base, examples, ...options })) {
    // As a kill would: nothing is written behind the last checkpoint.
    if (event.kind === "step" && event.step === stopAt) return undefined;
    if (event.kind === "done") return event.model;
  }
  return undefined;
}

/** The first numbers of the examples of some steps. */
async function drawn(stream: ExampleStream, steps: readonly number[]): Promise<number[][]> {
  const open = await openStream(model, stream, { loss: crossEntropy(), input: undefined });
  const batches = streamedBatches(open, {
    ...{ size: 8, stepsPerPass: Math.floor(open.count / 8), key: keyFromSeed(1) },
    check: () => undefined,
  });
  const found: number[][] = [];
  for (const step of steps) {
    await batches.read(step);
    const { inputs } = batches.batch;
    found.push(Array.from({ length: 8 }, (_, row) => inputs[3 * row] as number));
  }
  await batches.release();
  return found;
}

const steps = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => from + at);

describe("a stream's batches", () => {
  it("are each example once a pass, in another order each pass, whatever the buffer", async () => {
    for (const buffer of [2, 20, count, 1000]) {
      const first = (await drawn({ stream: () => numbers(), buffer }, steps(0, 12))).flat();
      expect(first.toSorted((a, b) => a - b)).toEqual(steps(0, count));
      const second = (await drawn({ stream: () => numbers(), buffer }, steps(12, 24))).flat();
      expect(second.toSorted((a, b) => a - b)).toEqual(steps(0, count));
      expect(second).not.toEqual(first);
      expect(first).not.toEqual(steps(0, count));
      // No example comes before it was read.
      expect(first.every((number, at) => number < at + buffer)).toBe(true);
    }
    const inOrder = (await drawn({ stream: () => numbers(), buffer: 1 }, steps(0, 12))).flat();
    expect(inOrder).toEqual(steps(0, count));
  });

  it("are the same wherever a run begins", async () => {
    const stream = { stream: () => numbers(), buffer: 20 };
    const all = await drawn(stream, steps(0, 24));
    for (const start of [1, 7, 12, 20])
      expect(await drawn(stream, steps(start, 24))).toEqual(all.slice(start));
    // Back, as a run that diverged goes.
    expect(await drawn(stream, [5, 3, 4])).toEqual([all[5], all[3], all[4]]);
  });

  it("read no further ahead than the buffer holds, and close what they read", async () => {
    let [come, closed] = [0, 0];
    async function* endless(): AsyncGenerator<StreamedExample> {
      try {
        for (let number = 0; ; number++) {
          come++;
          yield example(number);
        }
      } finally {
        closed++;
      }
    }
    const open = await openStream(
      model,
      { stream: endless, count: 1e6, buffer: 50 },
      { loss: crossEntropy(), input: undefined },
    );
    expect([come, closed]).toEqual([50, 1]);
    come = 0;
    const batches = streamedBatches(open, {
      ...{ size: 8, stepsPerPass: 125_000, key: keyFromSeed(1) },
      check: () => undefined,
    });
    for (const step of steps(0, 10)) await batches.read(step);
    expect(come).toBe(50 + 80);
    await batches.release();
    expect(closed).toBe(2);
  });
});

describe("a run of a stream", () => {
  it("ends, resumed after kills at any step, with the bytes of an undisturbed one", async () => {
    for (const buffer of [20, count]) {
      const stream = { stream: () => numbers(), buffer };
      const calm = await run(stream, { store: memoryStore() });
      const store = memoryStore();
      for (const stopAt of [1, 6, 12, 13, 30])
        expect(await run(stream, { store, resume: true }, stopAt)).toBeUndefined();
      expect(await run(stream, { store, resume: true })).toEqual(calm);
      // How long it is follows from what is given, or from what comes.
      expect(await run({ ...stream, count }, { store: memoryStore() })).toEqual(calm);
    }
  });

  it("of all examples in memory learns what arrays teach", async () => {
    const held = Array.from({ length: count }, (_, number) => example(number));
    const arrays = {
      inputs: Float32Array.from(held.flatMap(({ inputs }) => inputs as number[])),
      labels: Int32Array.from(held, ({ labels }) => labels as number),
    };
    const options = { ...base, gradient: "exact", epochs: 1, batch: count, validation: 0 } as const;
    const losses: number[] = [];
    for (const examples of [arrays, { stream: () => held }])
      for await (const event of train({ ...options, examples }))
        if (event.kind === "step") losses.push(event.loss);
    expect(losses[1]).toBeCloseTo(losses[0] as number, 5);
  });

  it("refuses to go on with other examples, by length or order", async () => {
    async function* swapped() {
      for (let number = 0; number < count; number++)
        yield example(number === 30 ? 31 : number === 31 ? 30 : number);
    }
    const begun = { stream: () => numbers(), buffer: 20 };
    const store = memoryStore();
    await run({ ...begun, count }, { store }, 4);
    const others: readonly (readonly [ExampleStream, RegExp])[] = [
      [{ ...begun, stream: swapped, count }, /first 44 examples of pass 0 are others than the 44/],
      [{ ...begun, stream: () => numbers(40), count }, /ended after 40 examples of pass 0, expected 96/],
      [{ ...begun, count: 90 }, /count/],
      [{ ...begun, buffer: 21, count }, /buffer/],
    ];
    for (const [other, message] of others)
      await expect(run(other, { store, resume: true })).rejects.toThrow(message);
    // What was counted is known as a whole.
    const counted = memoryStore();
    await run(begun, { store: counted }, 4);
    async function* lastSwapped() {
      for (let number = 0; number < count; number++)
        yield example(number === 95 ? 94 : number === 94 ? 95 : number);
    }
    await expect(run({ ...begun, stream: lastSwapped }, { store: counted, resume: true })).rejects.toThrow(
      /data/,
    );
    // Nothing was lost.
    expect(await run(begun, { store: counted, resume: true })).toEqual(
      await run(begun, { store: memoryStore() }),
    );
  });

  it("names the example that does not fit, and what a stream cannot be asked for", async () => {
    const wrong = (number: number, other: StreamedExample) =>
      async function* () {
        for await (const each of numbers()) yield (each.inputs as number[])[0] === number ? other : each;
      };
    const refused = (stream: ExampleStream["stream"], options: Partial<TrainOptions> = {}) =>
      expect(run({ stream, count, buffer: 10 }, { store: memoryStore(), ...options })).rejects;
    await refused(wrong(40, { inputs: [1, 2, 3], labels: 9 })).toThrow(
      /example 40 has label 9, expected 0 to 3/,
    );
    await refused(wrong(40, { inputs: [1, Number.NaN, 3], labels: 0 })).toThrow(/example 40 has NaN/);
    await refused(wrong(40, { inputs: [1, 2], labels: 0 })).toThrow(DataError);
    await refused(wrong(40, { inputs: [1, 2, 3], labels: [0, 1] })).toThrow(
      /example 40 has 3 numbers in \[3\] with 2 class/,
    );
    await refused(() => 3 as never).toThrow(SettingError);
    await refused(() => numbers(0)).toThrow(/ended after 0 examples/);
    await refused(() => numbers(), { validation: 10 }).toThrow(/validation/);
    await refused(() => numbers(), { batch: { size: 8, sampling: "balanced" } }).toThrow(/sampling/);
    await refused(() => numbers(), { loss: crossEntropy({ classWeights: "balanced" }) }).toThrow(
      /classWeights/,
    );
  });
});
