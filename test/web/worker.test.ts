/** Runs in a worker of the page's own, in a real browser. */
import { afterAll, afterEach, describe, expect, it } from "vitest";
import {
  activations,
  crossEntropy,
  DeviceError,
  DivergenceError,
  feedback,
  glyphs,
  mlp,
  SettingError,
  sgd,
  type TrainEvent,
  train,
} from "../../src/index.ts";
import {
  opfsStore,
  trainInWorker,
  type WorkerLike,
  type WorkerTrainOptions,
  webRuntime,
} from "../../src/web.ts";

declare function fetch(address: string): Promise<{ arrayBuffer(): Promise<ArrayBuffer> }>;
interface PageWorker extends WorkerLike {
  terminate(): void;
}
declare const Worker: new (address: URL | string, options: { type: "module" }) => PageWorker;

const workers: PageWorker[] = [];
const names: string[] = [];
const open = () => {
  const worker = new Worker(new URL("./train-worker.ts", import.meta.url), { type: "module" });
  workers.push(worker);
  return worker;
};
const freshName = () => {
  const name = `worker test ${crypto.randomUUID()}`;
  names.push(name);
  return name;
};
/** For runs that leave their worker as it was: loading the engine takes longer than they do. */
const shared = open();
afterAll(() => shared.terminate());
afterEach(async () => {
  for (const worker of workers.splice(0)) if (worker !== shared) worker.terminate();
  for (const name of names.splice(0)) await opfsStore(name).delete();
});

const data = glyphs({ train: 256, test: 64 });
const options = {
  model: mlp({ input: [1, 28, 28], hidden: [16], outputs: 10, normalization: data.normalization }),
  examples: data.train,
  tangents: 4,
  steps: 12,
  batch: 32,
} satisfies WorkerTrainOptions;

async function collect(events: AsyncIterable<TrainEvent>): Promise<TrainEvent[]> {
  const all: TrainEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}
const ofKind = <Kind extends TrainEvent["kind"]>(events: readonly TrainEvent[], kind: Kind) =>
  events.filter((event): event is Extract<TrainEvent, { kind: Kind }> => event.kind === kind);

describe("a run in a worker", () => {
  it("tells what train tells, and ends with the same bytes", async () => {
    const told = await collect(
      trainInWorker(shared, { ...options, test: data.test, optimizer: sgd({ momentum: 0.5 }) }),
    );
    const runtime = await webRuntime();
    const here = await collect(
      train({ ...options, test: data.test, optimizer: sgd({ momentum: 0.5 }), runtime }),
    );
    expect(told.map(({ kind }) => kind)).toEqual(here.map(({ kind }) => kind));
    expect(ofKind(told, "step")).toEqual(ofKind(here, "step"));
    expect(ofKind(told, "start")).toEqual(ofKind(here, "start"));
    expect(ofKind(told, "done")[0]?.model).toEqual(ofKind(here, "done")[0]?.model);
  });

  it("takes what the library's functions make, as data", async () => {
    const perturb = activations({ guess: feedback() });
    const told = await collect(
      trainInWorker(shared, { ...options, perturb, loss: crossEntropy({ smoothing: 0.1 }), steps: 1 }),
    );
    const runtime = await webRuntime();
    const here = await collect(
      train({ ...options, perturb, loss: crossEntropy({ smoothing: 0.1 }), steps: 1, runtime }),
    );
    expect(ofKind(told, "step")).toEqual(ofKind(here, "step"));
  });

  it("opens a model from its files, puts a head on it, and predicts of examples", async () => {
    const fetched = async (name: string) =>
      new File(
        [
          new Uint8Array(
            await (await fetch(new URL(`../cases/lab/${name}`, import.meta.url).href)).arrayBuffer(),
          ),
        ],
        name,
      );
    const files = await Promise.all(["beside.onnx", "beside.onnx.data"].map(fetched));
    const inputs = Float32Array.from({ length: 40 * 64 }, (_, index) => (index * 7) % 17);
    const examples = { inputs, labels: Int32Array.from({ length: 40 }, (_, row) => row % 3), shape: [64] };
    const training = trainInWorker(shared, { model: { files, head: { outputs: 3 } }, examples, steps: 2 });
    const [start] = ofKind(await collect(training), "start");
    expect(start?.head?.outputs).toBe(3);
    const { outputs } = await training.predict({ inputs: { pixels: inputs.subarray(0, 128) } });
    expect(outputs).toEqual((await training.predict(inputs.subarray(0, 128))).outputs);
    expect(outputs.shape).toEqual([2, 3]);
    const alone = trainInWorker(shared, { model: { files: files.slice(0, 1) }, examples, steps: 2 });
    await expect(collect(alone)).rejects.toThrow("keeps data in 'beside.onnx.data', which is not among");
  });

  it("predicts while it trains, and after it", async () => {
    const training = trainInWorker(shared, { ...options, steps: 200 });
    const { inputs, labels } = data.test;
    let during: number | undefined;
    for await (const event of training) {
      if (event.kind === "step" && during === undefined) during = (await training.predict(inputs)).step;
    }
    expect(during).toBeGreaterThan(0);
    expect(during).toBeLessThan(200);
    const { outputs, step } = await training.predict(inputs);
    expect(step).toBe(200);
    expect(outputs.shape).toEqual([64, 10]);
    const logits = Array.from({ length: 64 }, (_, row) => [...outputs.data.slice(10 * row, 10 * row + 10)]);
    const right = logits.filter(
      (row, index) =>
        row.indexOf(row.toSorted((a, b) => Number(b) - Number(a))[0] as never) === labels[index],
    );
    expect(right.length).toBeGreaterThan(20);
    await expect(training.predict(new Uint8Array(100))).rejects.toThrow(
      "inputs hold 100 numbers; expected a whole number of examples of shape [1, 28, 28]",
    );
  });

  it("stops at a signal, when a loop is left, and leaves its store free", async () => {
    const store = freshName();
    const stop = new AbortController();
    const worker = shared;
    const told: TrainEvent[] = [];
    for await (const event of trainInWorker(worker, { ...options, steps: 1e5, store, signal: stop.signal })) {
      told.push(event);
      stop.abort();
    }
    const [interrupted] = ofKind(told, "interrupted");
    expect(interrupted?.step).toBeLessThan(1e5);
    for await (const event of trainInWorker(worker, { ...options, steps: 1e5, store, resume: true })) {
      if (event.kind === "start") expect(event.step).toBe(interrupted?.step);
      break;
    }
    await (await opfsStore(store).lock?.())?.();
  });

  it("throws errors of the class, with the option, that the worker threw", async () => {
    const worker = shared;
    const wrong = collect(trainInWorker(worker, { ...options, tangents: 0 }));
    await expect(wrong).rejects.toBeInstanceOf(SettingError);
    const error = await collect(trainInWorker(worker, { ...options, tangents: 0 })).catch((thrown) => thrown);
    const here = await collect(train({ ...options, tangents: 0, runtime: await webRuntime() })).catch(
      (e) => e,
    );
    expect({ ...error, message: error.message }).toEqual({ ...here, message: here.message });
    const exploding = collect(trainInWorker(worker, { ...options, learningRate: 1e6, steps: 100 }));
    await expect(exploding).rejects.toBeInstanceOf(DivergenceError);
    const runtime = collect(trainInWorker(worker, { ...options, runtime: { threads: 1.5 } }));
    await expect(runtime).rejects.toMatchObject({ name: "SettingError", option: "threads" });
  });

  it("names the option that no message can hold", () => {
    const own = { name: "own", init: () => ({}), update: () => undefined };
    expect(() => trainInWorker(shared, { ...options, optimizer: own })).toThrow(
      "optimizer cannot be sent to a worker",
    );
  });

  it("is one at a time", async () => {
    const worker = shared;
    const first = trainInWorker(worker, { ...options, steps: 1e5 });
    await first.next();
    await expect(collect(trainInWorker(worker, options))).rejects.toThrow("one run at a time");
    await first.return?.();
  });

  it("ends with an error when its worker is killed, and resumes to the same bytes", async () => {
    const whole = freshName();
    const [done] = ofKind(
      await collect(trainInWorker(shared, { ...options, steps: 60, store: whole })),
      "done",
    );
    const store = freshName();
    const worker = open();
    const kept = { ...options, steps: 60, store, checkpointSeconds: 0 };
    const killed = trainInWorker(worker, kept);
    // A step is told before what it changed is saved: two steps later, that is there.
    let seen = 0;
    const error = await (async () => {
      for await (const event of killed) {
        if (event.kind === "step") seen = event.step;
        if (seen > 2) worker.terminate();
      }
    })().catch((thrown) => thrown);
    expect(error).toBeInstanceOf(DeviceError);
    expect(error.message).toContain("The worker is gone");
    await expect(killed.predict(data.test.inputs)).rejects.toThrow("The worker is gone");
    const resumed = await collect(trainInWorker(shared, { ...kept, resume: true }));
    expect(ofKind(resumed, "start")[0]?.step).toBeGreaterThanOrEqual(seen - 1);
    expect(ofKind(resumed, "done")[0]?.model).toEqual(done?.model);
  });

  it("ends with an error when its worker cannot start", async () => {
    const worker = new Worker("/nowhere.js", { type: "module" });
    workers.push(worker);
    await expect(collect(trainInWorker(worker, options))).rejects.toThrow("could not be started");
  });
});
