/** What who joins a run is told: that it is none of theirs, that it goes on, and how it stands now and not before. */
import { describe, expect, it } from "vitest";
import { type MemoryNetwork, memoryNetwork } from "../src/distributed/memory-transport.ts";
import { subjects } from "../src/distributed/run/messages.ts";
import { trainTogether } from "../src/distributed/run/train-together.ts";
import { work } from "../src/distributed/run/work.ts";
import { inGranules } from "../src/distributed/weights/granules.ts";
import { mlp } from "../src/models/mlp.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { memoryStore } from "../src/storage/memory-store.ts";
import type { RunStore } from "../src/storage/run-store.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";

const runtime = nodeRuntime({ threads: 1 });
const count = 140;
const options: TrainOptions = {
  ...{ model: mlp({ input: [4], hidden: [12, 8], outputs: 3 }), runtime, steps: 14, validation: 20 },
  examples: {
    inputs: Float32Array.from({ length: count * 4 }, (_, index) => Math.sin(index * index)),
    labels: Int32Array.from({ length: count }, (_, index) => index % 3),
    ...{ shape: [4], count },
  },
};
const ways: Readonly<Record<string, Partial<TrainOptions>>> = {
  "shares tangents": { perturb: "weights", tangents: 8, batch: 12 },
  "shares parts of batches": { gradient: "exact", batch: { size: 12, accumulate: 4 } },
};
const lease = 400;

async function end(network: MemoryNetwork, given: TrainOptions): Promise<Uint8Array | undefined> {
  const transport = network.join("coordinator");
  for await (const event of trainTogether(given, { transport, lease }))
    if (event.kind === "done") return event.model;
  return undefined;
}

function start(network: MemoryNetwork, heard: string[] = []) {
  const onEvent = ({ kind }: { readonly kind: string }) => void heard.push(kind);
  return work({ transport: network.join("worker"), runtime, takesOver: false, lease, onEvent });
}

/** A store whose disk fails after some writes. */
function failing(store: RunStore, writes: number): RunStore {
  return {
    ...store,
    async write(name, bytes) {
      if (writes-- <= 0) throw new Error("the disk broke");
      return store.write(name, bytes);
    },
  };
}

describe("who joins a run", () => {
  for (const kind of ["study", "search"] as const)
    it(`that is a ${kind} hears what it is and what works for it, at once and where it waited for it`, async () => {
      for (const isEarly of [false, true]) {
        const network = memoryNetwork();
        const put = () => network.join("owner").objects.put(kind, new TextEncoder().encode("{}"));
        if (!isEarly) await put();
        const working = start(network);
        working.catch(() => {});
        if (isEarly) await put();
        await expect(working).rejects.toThrow(
          new RegExp(`The run of this network in memory is a ${kind}, whose .*command "forwardgrad worker"`),
        );
      }
    });

  for (const [how, way] of Object.entries(ways)) {
    it(`that ${how} and failed before is told how it stands now`, async () => {
      const given = { ...options, ...way, checkpointSeconds: 0 };
      const network = memoryNetwork();
      const store = memoryStore();
      const before = start(network);
      await expect(end(network, { ...given, store: failing(store, 8) })).rejects.toThrow("the disk broke");
      expect(await before).toMatchObject({ how: "failed", why: expect.stringContaining("the disk broke") });
      // Nobody has gone on with it yet.
      expect((await start(network)).how).toBe("failed");
      const { log } = network.join("onlooker");
      const last = await log.last();
      const again = end(network, { ...given, store, resume: true });
      while ((await log.last()) === last) await new Promise((resolve) => setTimeout(resolve, 5));
      const later = start(network);
      let alone: Uint8Array | undefined;
      const own = way.perturb ? { ...given, gradient: inGranules() } : given;
      for await (const event of train(own)) if (event.kind === "done") alone = event.model;
      expect(await again).toEqual(alone);
      expect((await later).how).toBe("done");
    });

    it(`that ${how} hears that it was stopped, and that it goes on`, async () => {
      const network = memoryNetwork();
      const heard: string[] = [];
      const working = start(network, heard);
      const [stop, store] = [new AbortController(), memoryStore()];
      const given = { ...options, ...way, store };
      const transport = network.join("coordinator");
      for await (const event of trainTogether({ ...given, signal: stop.signal }, { transport, lease }))
        if (event.kind === "step" && event.step === 5) stop.abort();
      while (!heard.includes("paused")) await new Promise((resolve) => setTimeout(resolve, 5));
      expect(heard).not.toContain("resumed");
      await end(network, { ...given, resume: true });
      expect((await working).how).toBe("done");
      expect(heard.filter((kind) => kind === "paused" || kind === "resumed")).toEqual(["paused", "resumed"]);
    });
  }
});

describe("a question that no message holds", () => {
  it("is asked in several", async () => {
    const network = memoryNetwork({ largestMessage: 230 });
    const questions: number[] = [];
    network.join("onlooker").subscribe("coordinator", subjects.ask, ({ length }) => questions.push(length));
    const given = {
      ...options,
      perturb: "weights",
      tangents: 8,
      batch: { size: 12, accumulate: 12 },
    } as const;
    const working = [start(network), start(network)];
    const transport = network.join("coordinator");
    const kinds: string[] = [];
    for await (const { kind } of trainTogether(given, { transport, lease, granule: 1 })) kinds.push(kind);
    expect(kinds.at(-1)).toBe("done");
    // 96 pieces of 4 bytes each.
    expect(questions.length).toBeGreaterThan(2 * 3);
    expect(Math.max(...questions)).toBeLessThanOrEqual(230);
    expect((await Promise.all(working)).map(({ how }) => how)).toEqual(["done", "done"]);
  });
});
