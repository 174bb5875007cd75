/** A run of several workers is the run of one process, byte for byte, whatever happens between them. */
import { describe, expect, it } from "vitest";
import { type MemoryNetwork, memoryNetwork } from "../src/distributed/memory-transport.ts";
import { trainTogether } from "../src/distributed/run/train-together.ts";
import { work } from "../src/distributed/run/work.ts";
import { inGranules } from "../src/distributed/weights/granules.ts";
import type { WorkEvent } from "../src/distributed/work-events.ts";
import { mlp } from "../src/models/mlp.ts";
import { withHead } from "../src/objective/heads/with-head.ts";
import { encodeModelFile } from "../src/objective/importing/model-file.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { memoryStore } from "../src/storage/memory-store.ts";
import type { TrainEvent } from "../src/train/events.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";

const runtime = nodeRuntime({ threads: 1 });
const count = 140;
const examples = {
  inputs: Float32Array.from({ length: count * 4 }, (_, index) => Math.sin(index * index)),
  labels: Int32Array.from(
    { length: count },
    (_, index) => (Math.sin(4 * index * 4 * index) > 0 ? 1 : 0) + (index % 2),
  ),
  shape: [4],
  count,
};
const options: TrainOptions = {
  model: encodeModelFile(mlp({ input: [4], hidden: [8], outputs: 3 })),
  ...{ examples, runtime, perturb: "weights", tangents: 8, batch: 10, steps: 24, validation: 20 },
  ...{ optimizer: { name: "sgd", momentum: 0.9 }, clip: 5, patience: { epochs: 9 } },
};
const granule = 2;

async function end(events: AsyncIterable<TrainEvent>): Promise<Uint8Array> {
  let model = new Uint8Array();
  for await (const event of events) if (event.kind === "done") model = event.model;
  return model;
}

const alone = end(train({ ...options, gradient: inGranules({ size: granule }) }));

const lease = 400;
/** Times that suit steps of a few milliseconds. */
const together = { granule, lease, grace: 50 };

function start(network: MemoryNetwork, workers: number, given: Partial<Parameters<typeof work>[0]> = {}) {
  return Array.from({ length: workers }, () =>
    work({ transport: network.join("worker"), runtime, takesOver: false, lease, ...given }),
  );
}

describe("a run of several workers", () => {
  for (const workers of [1, 2, 4])
    it(`has the bytes of one process: ${workers}`, async () => {
      const network = memoryNetwork();
      const working = start(network, workers);
      const store = memoryStore();
      const model = await end(
        trainTogether({ ...options, store }, { transport: network.join("coordinator"), ...together }),
      );
      expect(model).toEqual(await alone);
      const results = await Promise.all(working);
      expect(results.map(({ how }) => how)).toEqual(new Array(workers).fill("done"));
      expect(results.every(({ granules }) => granules > 0)).toBe(true);
      expect(results.reduce((sum, { granules }) => sum + granules, 0)).toBeGreaterThanOrEqual(24 * 4);
      expect([...store.files.keys()]).toContain("model.onnx");
    });

  it("has the bytes of one process with tangents of slices, too: 1, 2, 4, and where one is resumed from the log", async () => {
    const sliced = { ...options, steps: 12 };
    const own = await end(train({ ...sliced, gradient: inGranules({ size: granule, sliced: true }) }));
    expect(own).not.toEqual(await end(train({ ...sliced, gradient: inGranules({ size: granule }) })));
    for (const workers of [1, 2, 4]) {
      const network = memoryNetwork();
      const working = start(network, workers);
      const stop = new AbortController();
      const first = { ...sliced, store: memoryStore(), signal: stop.signal };
      const going = { ...together, sliced: true };
      for await (const event of trainTogether(first, { transport: network.join("coordinator"), ...going }))
        if (event.kind === "step" && event.step === 7) stop.abort();
      // Its own checkpoint is lost: the steps are in the log.
      const again = { ...sliced, store: memoryStore(), resume: true };
      const model = await end(trainTogether(again, { transport: network.join("coordinator"), ...going }));
      expect(model).toEqual(own);
      await Promise.all(working);
    }
  });

  it("has them where the batch is split as well, for more workers than granules: the derivatives are those of all of it", async () => {
    const parted = { ...options, tangents: 4, batch: { size: 12, accumulate: 3 }, steps: 10 };
    const whole = { ...parted, batch: 12 };
    const gradient = inGranules({ size: granule });
    const losses: Record<string, number[]> = { parted: [], whole: [] };
    const heard = async function* (name: string, events: AsyncIterable<TrainEvent>) {
      for await (const event of events) {
        if (event.kind === "step") losses[name]?.push(event.loss);
        yield event;
      }
    };
    const own = await end(heard("parted", train({ ...parted, gradient })));
    await end(heard("whole", train({ ...whole, gradient })));
    expect(losses.parted).toEqual(losses.whole?.map((loss) => expect.closeTo(loss, 4)));
    expect(new Set(losses.whole).size).toBe(10);
    for (const workers of [1, 2, 4]) {
      const network = memoryNetwork(workers === 2 ? { drop: 0.1, repeat: 0.1 } : {});
      const working = start(network, workers);
      const model = await end(
        trainTogether(parted, { transport: network.join("coordinator"), ...together, check: 0.2 }),
      );
      expect(model).toEqual(own);
      const done = await Promise.all(working);
      // Two granules of three parts: six to share.
      if (workers === 4) expect(done.every(({ granules }) => granules > 0)).toBe(true);
    }
  });

  it("and of a model with a new head", async () => {
    const model = await withHead(mlp({ input: [4], hidden: [8, 6], outputs: 5 }), {
      outputs: 3,
      beside: "all",
    });
    const headed = { ...options, model, steps: 8 };
    const network = memoryNetwork();
    const working = start(network, 2);
    const trained = await end(trainTogether(headed, { transport: network.join("coordinator"), ...together }));
    expect(trained).toEqual(await end(train({ ...headed, gradient: inGranules({ size: granule }) })));
    await Promise.all(working);
    const alone = await withHead(mlp({ input: [4], hidden: [8], outputs: 5 }), {
      outputs: 3,
      beside: "all",
      alone: 0.5,
    });
    await expect(
      end(
        trainTogether(
          { ...options, model: alone },
          { transport: memoryNetwork().join("coordinator"), ...together },
        ),
      ),
    ).rejects.toThrow(/head\.alone: 0\.5\) learns by exact gradients/);
  });

  it("and with 10 % of the messages lost, 10 % repeated, and all late", async () => {
    const network = memoryNetwork({ drop: 0.1, repeat: 0.1, delay: 8 });
    const working = start(network, 3);
    const model = await end(trainTogether(options, { transport: network.join("coordinator"), ...together }));
    expect(model).toEqual(await alone);
    await Promise.all(working);
  });

  it("and with workers that are killed, and others that join late, from a checkpoint and the records behind it", async () => {
    const network = memoryNetwork();
    const joined: number[] = [];
    const dying = network.join("worker");
    const killed = work({ transport: dying, runtime, takesOver: false, lease }).catch((error) =>
      String(error),
    );
    const later: Promise<unknown>[] = [];
    const events = trainTogether(options, { transport: network.join("coordinator"), ...together });
    const model = await end(
      (async function* () {
        for await (const event of events) {
          if (event.kind === "step" && event.step === 5) await dying.close();
          if (event.kind === "step" && event.step === 4)
            later.push(
              ...start(network, 2, {
                onEvent: (event: WorkEvent) => {
                  if (event.kind === "joined") joined.push(event.step);
                },
              }),
            );
          yield event;
        }
      })(),
    );
    expect(model).toEqual(await alone);
    await Promise.all(later);
    expect(await killed).toContain("closed");
    // The only checkpoint was of the beginning of the run.
    expect(joined).toEqual([0, 0]);
  });

  it("and with a coordinator that is killed: a worker goes on with the run", async () => {
    const network = memoryNetwork();
    const events: WorkEvent[] = [];
    const working = start(network, 2, { takesOver: true, onEvent: (event) => events.push(event) });
    const transport = network.join("coordinator");
    let steps = 0;
    const killed = end(
      (async function* () {
        for await (const event of trainTogether(options, { transport, ...together })) {
          if (event.kind === "step" && ++steps === 9) network.cut(transport.participant);
          yield event;
        }
      })(),
    ).catch((error) => error.name);
    const results = await Promise.all(working);
    expect(results.map(({ how }) => how)).toEqual(["done", "done"]);
    expect(events.filter(({ kind }) => kind === "leads")).toHaveLength(1);
    const done = events.flatMap((event) =>
      event.kind === "run" && event.event.kind === "done" ? [event.event.model] : [],
    );
    expect(done).toEqual([await alone]);
    // It comes back, and finds that others went on.
    network.heal(transport.participant);
    expect(await killed).toBe("CoordinatorReplacedError");
  });

  it("and where the coordinator starts again: it repeats what is in the log, and asks for the rest", async () => {
    const network = memoryNetwork();
    const working = start(network, 2);
    const store = memoryStore();
    const first = network.join("coordinator");
    const stop = new AbortController();
    for await (const event of trainTogether(
      { ...options, store, signal: stop.signal },
      { transport: first, ...together },
    ))
      if (event.kind === "step" && event.step === 7) stop.abort();
    // As if the checkpoint of step 7 had been lost: the run is repeated from its beginning.
    for (const lost of [store, memoryStore()]) {
      const kinds: string[] = [];
      const again = new AbortController();
      for await (const event of trainTogether(
        { ...options, store: lost, resume: true, signal: again.signal },
        { transport: network.join("coordinator"), ...together },
      )) {
        kinds.push(event.kind);
        if (event.kind === "step" && event.step === 12 && lost === store) again.abort();
        if (event.kind === "done") expect(event.model).toEqual(await alone);
      }
      expect(kinds.at(-1)).toBe(lost === store ? "interrupted" : "done");
    }
    await Promise.all(working);
  });

  it("and with a worker that is cut off for a while", async () => {
    const network = memoryNetwork();
    const transport = network.join("worker");
    const working = [work({ transport, runtime, takesOver: false, lease }), ...start(network, 1)];
    const model = await end(
      (async function* () {
        for await (const event of trainTogether(options, {
          transport: network.join("coordinator"),
          ...together,
        })) {
          if (event.kind === "step" && event.step === 6) network.cut(transport.participant);
          if (event.kind === "step" && event.step === 12) network.heal(transport.participant);
          yield event;
        }
      })(),
    );
    expect(model).toEqual(await alone);
    await Promise.all(working);
  });

  it("and where the log loses its tail: the coordinator appends it again", async () => {
    const network = memoryNetwork();
    const working = start(network, 2);
    const model = await end(
      (async function* () {
        for await (const event of trainTogether(options, {
          transport: network.join("coordinator"),
          ...together,
        })) {
          if (event.kind === "step" && event.step === 10) network.loseTail(4);
          yield event;
        }
      })(),
    );
    expect(model).toEqual(await alone);
    await Promise.all(working);
  });

  it("keeps who comes late: one that is done ends them, and one that was stopped waits for its coordinator", async () => {
    const network = memoryNetwork();
    const working = start(network, 1);
    const stop = new AbortController();
    const first = { ...options, store: memoryStore(), signal: stop.signal };
    for await (const event of trainTogether(first, { transport: network.join("coordinator"), ...together }))
      if (event.kind === "step" && event.step === 7) stop.abort();
    const heard: string[] = [];
    const late = work({
      ...{ transport: network.join("worker"), runtime, lease: 100 },
      onEvent: ({ kind }) => heard.push(kind),
    });
    while (!heard.includes("paused")) await new Promise((resolve) => setTimeout(resolve, 10));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(heard).not.toContain("leads");
    const store = { ...options, store: first.store };
    await expect(
      end(
        trainTogether({ ...store, overwrite: true }, { transport: network.join("coordinator"), ...together }),
      ),
    ).rejects.toThrow(/overwrite: true does not remove its log.*resume: true, without overwrite.*run: …/);
    const model = await end(
      trainTogether({ ...store, resume: true }, { transport: network.join("coordinator"), ...together }),
    );
    expect(model).toEqual(await alone);
    expect((await late).how).toBe("done");
    await Promise.all(working);
    const [afterwards] = start(network, 1, { takesOver: true, lease: 100 });
    expect(await afterwards).toMatchObject({ how: "done", granules: 0 });
    // A server of one's own is empty each time: the folder alone is replaced.
    const another = memoryNetwork();
    const again = start(another, 1);
    const replaced = { ...store, overwrite: true };
    const own = trainTogether(replaced, { transport: another.join("coordinator"), ...together });
    expect(await end(own)).toEqual(model);
    await Promise.all(again);
  });

  it("has one coordinator: another finds it alive, and one that does not look cannot append", async () => {
    const network = memoryNetwork();
    const working = start(network, 2);
    const others: string[] = [];
    const model = await end(
      (async function* () {
        for await (const event of trainTogether(options, {
          transport: network.join("coordinator"),
          ...together,
          lease: 2000,
        })) {
          if (event.kind === "step" && event.step === 3)
            await end(
              trainTogether(
                { ...options, resume: true },
                { transport: network.join("coordinator"), ...together, lease: 100 },
              ),
            ).catch((error) => others.push(error.name));
          yield event;
        }
      })(),
    );
    expect(others).toEqual(["CoordinatorReplacedError"]);
    expect(model).toEqual(await alone);
    await Promise.all(working);
  });
});
