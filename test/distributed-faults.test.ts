/** What a run of several workers refuses and survives: liars, other versions and models, divergence, and what cannot be shared. */
import { describe, expect, it } from "vitest";
import { type MemoryNetwork, memoryNetwork } from "../src/distributed/memory-transport.ts";
import {
  decodeAnswer,
  decodeForetold,
  encodeAnswer,
  encodeForetold,
  subjects,
} from "../src/distributed/run/messages.ts";
import { pack, unpack } from "../src/distributed/run/packed.ts";
import type { CrewEvent } from "../src/distributed/run/questions.ts";
import { type TogetherOptions, trainTogether } from "../src/distributed/run/train-together.ts";
import { work } from "../src/distributed/run/work.ts";
import type { Transport } from "../src/distributed/transport.ts";
import { inGranules } from "../src/distributed/weights/granules.ts";
import { contrast } from "../src/losses/contrast.ts";
import { memoryStore } from "../src/storage/memory-store.ts";
import type { TrainEvent } from "../src/train/events.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";
import { examples, model, runtime } from "./circle.ts";

const options: TrainOptions = {
  ...{ model, examples, runtime, perturb: "weights", tangents: 4, batch: 8, steps: 20, validation: 8 },
};
const together = { granule: 2, lease: 400 } as const;

async function end(events: AsyncIterable<TrainEvent>): Promise<{ model: Uint8Array; kinds: string[] }> {
  const kinds: string[] = [];
  let trained = new Uint8Array();
  for await (const event of events) {
    kinds.push(event.kind);
    if (event.kind === "done") trained = event.model;
  }
  return { model: trained, kinds };
}

const worker = (transport: Transport) => work({ transport, runtime, takesOver: false, lease: 400 });
const spread = (
  network: MemoryNetwork,
  given: Partial<TogetherOptions> = {},
  more: Partial<TrainOptions> = {},
) =>
  end(
    trainTogether({ ...options, ...more }, { transport: network.join("coordinator"), ...together, ...given }),
  );
const alone = (more: Partial<TrainOptions> = {}) =>
  end(train({ ...options, ...more, gradient: inGranules({ size: 2 }) }));

/** A worker's transport whose derivatives are changed on the way. */
function lying(transport: Transport, change: (derivative: number) => number): Transport {
  return {
    ...transport,
    publish(role, subject, message) {
      const answer = decodeAnswer(message);
      transport.publish(
        role,
        subject,
        answer ? encodeAnswer({ ...answer, derivatives: answer.derivatives.map(change) }) : message,
      );
    },
  };
}

describe("workers whose derivatives are wrong", () => {
  for (const [what, change, check] of [
    ["others", (derivative: number) => 1.5 * derivative, 1],
    ["not finite", () => Number.NaN, 0],
  ] as const)
    it(`are named and dropped, and the run has the bytes of one process: ${what}`, async () => {
      const network = memoryNetwork();
      const events: CrewEvent[] = [];
      const honest = worker(network.join("worker"));
      const liar = worker(lying(network.join("liar"), change)).catch((error) => error);
      const { model: trained } = await spread(network, { check, onCrew: (event) => events.push(event) });
      expect(trained).toEqual((await alone()).model);
      expect(events.filter(({ kind }) => kind === "dropped")).toEqual([
        { kind: "dropped", participant: "liar.1", why: expect.stringContaining(what) },
      ]);
      expect(await liar).toMatchObject({ name: "DeviceError", message: expect.stringContaining(what) });
      expect(await honest).toMatchObject({ how: "done" });
    });

  it("are not those of another engine, whose rounding is large beside a derivative that is near 0", async () => {
    const network = memoryNetwork();
    const events: CrewEvent[] = [];
    const sizes: number[] = [];
    let error = 1e-4;
    const usual = () => [...sizes].sort((a, b) => a - b)[sizes.length >> 1] ?? 0;
    const rounded = lying(network.join("other"), (derivative) => {
      sizes.push(Math.abs(derivative));
      error = -error;
      return derivative + error * usual();
    });
    const working = Promise.allSettled([worker(network.join("worker")), worker(rounded)]);
    const onCrew = (event: CrewEvent) => events.push(event);
    await spread(network, { check: 1, granule: 1, onCrew }, { steps: 60 });
    // Some would have been others, held to themselves alone.
    expect(Math.min(...sizes)).toBeLessThan(0.05 * usual());
    expect(events.filter(({ kind }) => kind === "dropped")).toEqual([]);
    await working;
  });
});

describe("coefficients that workers hear before their record", () => {
  it("count only where the record has the same: those that were changed on the way are formed anew", async () => {
    const network = memoryNetwork();
    let changed = 0;
    const coordinator = network.join("coordinator");
    const transport: Transport = {
      ...coordinator,
      publish(role, subject, message) {
        const foretold = subject === subjects.formed ? decodeForetold(message) : undefined;
        if (foretold) changed++;
        const coefficients = foretold?.coefficients.map((value) => 2 * value + 1);
        const sent = foretold && coefficients ? encodeForetold({ ...foretold, coefficients }) : message;
        coordinator.publish(role, subject, sent);
      },
    };
    const working = worker(network.join("worker"));
    const { model: trained } = await end(trainTogether(options, { transport, ...together }));
    expect(changed).toBe(20);
    expect(trained).toEqual((await alone()).model);
    expect(await working).toMatchObject({ how: "done", steps: 20 });
  });
});

describe("workers of another version, or of another run", () => {
  const told = async (
    change: (described: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>,
  ) => {
    const network = memoryNetwork();
    const stop = new AbortController();
    const running = spread(network, {}, { signal: stop.signal }).then(
      ({ kinds }) => kinds.at(-1),
      (error) => error.name,
    );
    const { objects } = network.join("changes");
    let described: Uint8Array | undefined;
    while (!described) described = await objects.get("run");
    await objects.put("run", pack(change(unpack(described, "run"))));
    const refused = await worker(network.join("worker")).catch((error) => String(error));
    stop.abort();
    // It was stopped before its first step, or while it waited for workers.
    expect(["interrupted", "StoppedError"]).toContain(await running);
    return refused;
  };

  it("are refused by name", async () => {
    expect(await told((all) => ({ ...all, version: "0.0.1" }))).toMatch(
      /The run of this network in memory was begun by forwardgrad 0\.0\.1, and this is .*forwardgrad@0\.0\.1/,
    );
    const other = await told((all) => ({ ...all, options: { ...(all.options as object), seed: 7 } }));
    expect(other).toMatch(/is another one: seed is 0 there and 7 here/);
  });

  it("find what is there by another coordinator, too", async () => {
    const network = memoryNetwork();
    const working = worker(network.join("worker"));
    const { model: trained } = await spread(network);
    await expect(spread(network)).rejects.toThrow(
      /The run of this network in memory has begun already.*resume: true.*run: …/,
    );
    await expect(spread(network, {}, { resume: true, seed: 3 })).rejects.toThrow(
      /seed is 0 there and 3 here/,
    );
    await expect(spread(network, { granule: 1 }, { resume: true })).rejects.toThrow(
      /gradient.size is 2 there and 1 here/,
    );
    // The same goes on, and is complete: nobody is asked for anything.
    expect((await spread(network, {}, { resume: true })).model).toEqual(trained);
    await working;
  });
});

describe("a run that diverges", () => {
  const noisy: Partial<TrainOptions> = {
    ...{ optimizer: { name: "sgd", momentum: 0.5 }, divergenceFactor: 1.53, steps: 400, tangents: 2 },
    validation: undefined,
  };

  it("goes back with all its workers, and has the bytes of one process, also where it is repeated", async () => {
    const network = memoryNetwork();
    const working = [worker(network.join("worker")), worker(network.join("worker"))];
    const expected = await alone(noisy);
    expect(expected.kinds).toContain("recovery");
    const spreadOut = await spread(network, {}, { ...noisy, store: memoryStore() });
    expect(spreadOut).toEqual(expected);
    expect((await Promise.all(working)).map(({ how }) => how)).toEqual(["done", "done"]);
    // From its beginning, out of the log alone: it diverges again where it did, and asks nobody.
    const { objects } = network.join("changes");
    for (const name of await objects.names()) if (name.startsWith("file ")) await objects.remove(name);
    expect(await spread(network, {}, { ...noisy, store: memoryStore(), resume: true })).toEqual(expected);
  });
});

describe("what workers do not train together yet", () => {
  for (const [wrong, message] of [
    [
      { perturb: { name: "weights", guess: "momentum" } },
      /perturb\.guess: "momentum" learns from what is in no record/,
    ],
    [{ perturb: { name: "weights", exactLastLayer: true } }, /exactLastLayer: true.* n numbers/],
    [
      { batch: { size: 8, accumulate: 2 }, loss: contrast() },
      /loss: "contrast" compares all examples of a batch with each other.*leave batch\.accumulate out/s,
    ],
    [{ quality: { draws: 2 } }, /by draws that workers are not asked for/],
    [{ tangentChunk: 1 }, /leave tangentChunk out/],
    [{ sampler: "orthonormal" }, /depend on each other/],
  ] as const)
    it(`is refused by name: ${Object.keys(wrong).join(", ")}`, async () => {
      await expect(spread(memoryNetwork(), {}, wrong as Partial<TrainOptions>)).rejects.toThrow(message);
    });

  it("are rules that no step could keep", async () => {
    await expect(spread(memoryNetwork(), { quorum: 0 })).rejects.toThrow(
      "quorum: 0 must be above 0 and at most 1",
    );
    await expect(spread(memoryNetwork(), { check: 2 })).rejects.toThrow("check: 2 must be from 0 to 1");
  });
});

describe("a step with a quorum", () => {
  it("closes without those that are late, and all replicas take it", async () => {
    const network = memoryNetwork();
    const working = [worker(network.join("worker"))];
    // It is there, and never answers.
    const silent = network.join("silent");
    const here = setInterval(() => silent.publish("worker", "here", new Uint8Array()), 20);
    const { model: trained } = await spread(network, { quorum: 0.5, grace: 1 });
    clearInterval(here);
    expect(trained.length).toBeGreaterThan(0);
    expect((await Promise.all(working))[0]).toMatchObject({ how: "done", steps: 20 });
  });
});
