/** Runs whose workers compute parts of batches: activations and exact gradients are those of one process, byte for byte. */
import { describe, expect, it } from "vitest";
import { type MemoryNetwork, memoryNetwork } from "../src/distributed/memory-transport.ts";
import { Arrival, Departure, decodePiece, encodePiece, type Piece } from "../src/distributed/parts/pieces.ts";
import { subjects } from "../src/distributed/run/messages.ts";
import type { CrewEvent } from "../src/distributed/run/questions.ts";
import { type TogetherOptions, trainTogether } from "../src/distributed/run/train-together.ts";
import { work } from "../src/distributed/run/work.ts";
import type { Transport } from "../src/distributed/transport.ts";
import { contrast } from "../src/losses/contrast.ts";
import { mlp } from "../src/models/mlp.ts";
import { encodeModelFile } from "../src/objective/importing/model-file.ts";
import { float32 } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { memoryStore } from "../src/storage/memory-store.ts";
import type { TrainEvent } from "../src/train/events.ts";
import type { TrainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";

const runtime = nodeRuntime({ threads: 1 });
const count = 140;
const examples = {
  inputs: Float32Array.from({ length: count * 4 }, (_, index) => Math.sin(index * index)),
  labels: Int32Array.from({ length: count }, (_, index) => index % 3),
  shape: [4],
  count,
};
const network3 = { input: [4], hidden: [12, 8], outputs: 3 };
const base: TrainOptions = {
  model: encodeModelFile(mlp(network3)),
  ...{ examples, runtime, batch: { size: 12, accumulate: 4 }, steps: 14, validation: 20 },
};
const ways: Readonly<Record<string, Partial<TrainOptions>>> = {
  "activations with what their guess learns": { tangents: 4, optimizer: "adam", clip: 5 },
  "exact gradients": { gradient: "exact", optimizer: { name: "sgd", momentum: 0.9 } },
  "outer steps of activations": {
    ...{ tangents: 4, optimizer: "adam", steps: 6 },
    batch: { size: 12, accumulate: 4, localSteps: 3 },
  },
  "outer steps of weights": {
    ...{ perturb: "weights", tangents: 4, steps: 8 },
    batch: { size: 12, accumulate: 4, localSteps: 2, outerMomentum: 0 },
  },
  "blocks without a guess": { perturb: { name: "blocks", guess: "none" }, tangents: 4, learningRate: 0.05 },
};

async function end(events: AsyncIterable<TrainEvent>, hear = (_: TrainEvent) => {}): Promise<Uint8Array> {
  let model = new Uint8Array();
  for await (const event of events) {
    hear(event);
    if (event.kind === "done") model = event.model;
  }
  return model;
}

const lease = 400;
const spread = (
  network: MemoryNetwork,
  options: TrainOptions,
  more: Partial<TogetherOptions> = {},
  hear?: (event: TrainEvent) => void,
) => end(trainTogether(options, { transport: network.join("coordinator"), lease, ...more }), hear);

function start(network: MemoryNetwork, workers: number, given: Partial<Parameters<typeof work>[0]> = {}) {
  return Array.from({ length: workers }, () =>
    work({ transport: network.join("worker"), runtime, takesOver: false, lease, ...given }),
  );
}

describe("a run whose workers compute parts of its batches", () => {
  for (const [what, way] of Object.entries(ways))
    it(`has the bytes of one process for 1, 2 and 4 workers: ${what}`, async () => {
      const options = { ...base, ...way };
      const own = await end(train(options));
      for (const workers of [1, 2, 4]) {
        const network = memoryNetwork();
        const working = start(network, workers);
        expect(await spread(network, options)).toEqual(own);
        const results = await Promise.all(working);
        expect(results.map(({ how }) => how)).toEqual(new Array(workers).fill("done"));
        expect(results.reduce((sum, { granules }) => sum + granules, 0)).toBeGreaterThanOrEqual(
          (options.steps ?? 0) * 4,
        );
        if (workers === 4) expect(results.every(({ granules }) => granules > 0)).toBe(true);
      }
    });

  const options = { ...base, ...ways["activations with what their guess learns"] };
  const alone = end(train(options));

  it("also with 10 % of the messages lost, 10 % repeated, and all in small pieces that overtake each other", async () => {
    const network = memoryNetwork({ drop: 0.1, repeat: 0.1, delay: 4, largestMessage: 700 });
    // What a run is has no part in it: objects are kept, not said.
    const working = start(network, 3);
    expect(await spread(network, options, { check: 0.2 })).toEqual(await alone);
    await Promise.all(working);
  });

  it("also with workers that are killed, and others that come late and need no more than the next step", async () => {
    const network = memoryNetwork();
    const dying = network.join("worker");
    const killed = work({ transport: dying, runtime, takesOver: false, lease }).catch(String);
    const joined: number[] = [];
    const later: Promise<unknown>[] = [];
    const model = await spread(network, options, {}, (event) => {
      if (event.kind !== "step") return;
      if (event.step === 4)
        later.push(
          ...start(network, 2, { onEvent: (heard) => heard.kind === "joined" && joined.push(heard.step) }),
        );
      if (event.step === 6) void dying.close();
    });
    expect(model).toEqual(await alone);
    await Promise.all(later);
    expect(await killed).toContain("closed");
    expect(joined.every((step) => step >= 4)).toBe(true);
    expect(joined).toHaveLength(2);
  });

  it("also where its coordinator is killed, and a worker goes on: there are never two", async () => {
    const network = memoryNetwork();
    const done: Uint8Array[] = [];
    const working = start(network, 2, {
      takesOver: true,
      onEvent: (heard) => heard.kind === "run" && heard.event.kind === "done" && done.push(heard.event.model),
    });
    const transport = network.join("coordinator");
    let isCut = false;
    const store = memoryStore();
    const first = { ...options, store, checkpointSeconds: 0 };
    const killed = end(trainTogether(first, { transport, lease }), (event) => {
      if (event.kind === "step" && event.step === 5 && !isCut) {
        isCut = true;
        network.cut(transport.participant);
      }
    }).catch((error) => error.name);
    expect((await Promise.all(working)).map(({ how }) => how)).toEqual(["done", "done"]);
    expect(done).toEqual([await alone]);
    network.heal(transport.participant);
    expect(await killed).toBe("CoordinatorReplacedError");
    // Its own checkpoint is older than what others went on to, and nobody is there to repeat it.
    expect(await spread(network, { ...first, resume: true })).toEqual(await alone);
  });

  it("also where it was stopped and goes on, from its own store or from what is shared", async () => {
    for (const isLost of [false, true]) {
      const network = memoryNetwork();
      const heard: string[] = [];
      const working = start(network, 2, { onEvent: ({ kind }) => heard.push(kind) });
      const stop = new AbortController();
      const store = memoryStore();
      await spread(network, { ...options, store, signal: stop.signal }, {}, (event) => {
        if (event.kind === "step" && event.step === 5) stop.abort();
      });
      const again = { ...options, store: isLost ? memoryStore() : store, resume: true };
      const steps: number[] = [];
      const model = await spread(network, again, {}, (event) => {
        if (event.kind === "step") steps.push(event.step);
      });
      expect(model).toEqual(await alone);
      expect(steps[0]).toBe(6);
      await Promise.all(working);
      expect(heard).toContain("paused");
    }
  });

  it("has parts where nothing is said of them, and the same without workers", async () => {
    const { batch, ...rest } = options;
    const network = memoryNetwork();
    const working = start(network, 2);
    const own = await end(train({ ...rest, batch: { size: 12, accumulate: 4 } }));
    expect(await spread(network, { ...rest, batch: 12 })).toEqual(own);
    await Promise.all(working);
  });

  it("goes back where it diverges, with all its workers, as one process does", async () => {
    // A rate of its own that is too large at first: the default's divergence is found by numbers that are not finite.
    const wild = { ...base, ...ways["exact gradients"], learningRate: 1e6, steps: 8 };
    const alone = await end(train(wild)).catch((error) => `${error.name}: ${error.message}`);
    expect(alone).toMatch(/DivergenceError/);
    const network = memoryNetwork();
    const working = start(network, 2);
    const together = await spread(network, wild).catch((error) => `${error.name}: ${error.message}`);
    expect(together).toBe(alone);
    expect((await Promise.all(working)).map(({ how }) => how)).toEqual(["failed", "failed"]);
  });

  it("names and drops a worker whose gradients are wrong, and has the bytes of one process", async () => {
    for (const [what, change, check] of [
      ["others", (value: number) => 1.5 * value, 1],
      ["not finite", () => Number.NaN, 0],
    ] as const) {
      const network = memoryNetwork();
      const events: CrewEvent[] = [];
      const [honest] = start(network, 1);
      const transport = network.join("liar");
      const [liar] = start(network, 1, { transport: lying(transport, change) }).map((each) =>
        each.catch((error) => error),
      );
      const onCrew = (event: CrewEvent) => events.push(event);
      expect(await spread(network, options, { check, onCrew })).toEqual(await alone);
      expect(events.filter(({ kind }) => kind === "dropped")).toEqual([
        { kind: "dropped", participant: "liar.1", why: expect.stringContaining(what) },
      ]);
      expect(await liar).toMatchObject({ name: "DeviceError" });
      expect(await honest).toMatchObject({ how: "done" });
    }
  });

  it("believes nobody because all others are late", async () => {
    const network = memoryNetwork();
    const dropped: string[] = [];
    // As a machine that is busy: its answers come when nobody waits for them any more.
    const slow = network.join("slow");
    const late: Transport = {
      ...slow,
      publish(role, subject, message) {
        const wait = subject === subjects.part && dropped.length === 0 ? 3000 : 0;
        if (wait > 0) setTimeout(() => slow.publish(role, subject, message), wait);
        else slow.publish(role, subject, message);
      },
    };
    const [honest] = start(network, 1, { transport: late });
    const [liar] = start(network, 1, { transport: lying(network.join("liar"), (value) => 1.5 * value) }).map(
      (each) => each.catch((error) => error),
    );
    const onCrew = (event: CrewEvent) => {
      if (event.kind === "dropped") dropped.push(`${event.participant}`);
    };
    expect(await spread(network, options, { check: 1, onCrew })).toEqual(await alone);
    expect(dropped).toEqual(["liar.1"]);
    expect(await liar).toMatchObject({ name: "DeviceError" });
    expect(await honest).toMatchObject({ how: "done" });
  });

  for (const [wrong, more, message] of [
    [{ gradient: "law" }, {}, /gradient: "law" cannot be had part by part/],
    [{ gradient: "simulated" }, {}, /gradient: "simulated" cannot be had part by part/],
    [{ batch: { size: 12, accumulate: 1 } }, {}, /one part \(batch\.accumulate: 1\) leaves workers nothing/],
    [{ batch: 10 }, {}, /accumulate: 4 makes no parts of equal size of batch\.size: 10/],
    [{ loss: contrast(), batch: 12 }, {}, /"contrast" compares all examples.*perturb: "weights"/s],
    [{}, { granule: 2 }, /granule: 2 is about tangents of weights/],
    [{}, { sliced: true }, /sliced: true is about tangents of weights/],
    [{}, { quorum: 0.5 }, /quorum: 0\.5 would leave examples out of a step/],
    [{ quality: { every: 2 } }, {}, /by draws that workers are not asked for/],
    [
      { model: normalizing(), gradient: "exact", batchNorm: "batch" },
      {},
      /keeps statistics of batches.*batchNorm: "frozen"/s,
    ],
  ] as const)
    it(`refuses by name what cannot work: ${Object.keys({ ...wrong, ...more }).join(", ")}`, async () => {
      const asked = { ...base, ...wrong } as TrainOptions;
      await expect(spread(memoryNetwork(), asked, more)).rejects.toThrow(message);
    });
});

/** A worker's transport whose gradients are changed on the way. */
function lying(transport: Transport, change: (value: number) => number): Transport {
  return {
    ...transport,
    publish(role, subject, message) {
      const piece = subject === subjects.part ? decodePiece(message) : undefined;
      if (!piece) return transport.publish(role, subject, message);
      const numbers = Float32Array.from(new Float32Array(piece.bytes.slice().buffer), change);
      transport.publish(role, subject, encodePiece({ ...piece, bytes: new Uint8Array(numbers.buffer) }));
    },
  };
}

/** A model whose normalization keeps statistics of its batches. */
function normalizing() {
  const g = new GraphBuilder("normalizing");
  const x = g.input("x", "float32", [3, 4]);
  const stored = (name: string, value: number) =>
    g.parameter(name, float32([0, 1, 2].map((index) => value + index)));
  const weight = float32(
    Array.from({ length: 12 }, (_, index) => Math.sin(index)),
    [4, 3],
  );
  const [y] = g.node("BatchNormalization", [
    g.matMul(x, g.parameter("weight", weight)),
    ...["scale", "bias", "running_mean", "running_var"].map((name) => stored(name, 1)),
  ]);
  return g.build({ y });
}

describe("what is larger than a message", () => {
  it("comes whole, whatever is lost, repeated or overtaken, and never more than a few pieces at once", () => {
    const bytes = Uint8Array.from({ length: 1003 }, (_, index) => (index * 7) % 251);
    const whole = { after: 3, step: 2, before: [1, 2] as const, part: 1, loss: 0.5, unforeseen: Number.NaN };
    const line: Piece[] = [];
    const leaving = new Departure({ ...whole, total: bytes.length }, bytes, 10, (message) => {
      const piece = decodePiece(message);
      if (piece) line.push(piece);
    });
    leaving.begin();
    expect(line).toHaveLength(16);
    expect(line[0]).toMatchObject({ ...whole, index: 0, total: 1003 });
    const arrival = new Arrival(bytes.length, 10, 0);
    let now = 0;
    let turn = 0;
    while (!arrival.isWhole && now < 1e6) {
      // Every third is lost, every fifth comes twice, and the last one comes first.
      for (const piece of line.splice(0).reverse()) {
        turn++;
        if (turn % 3 === 0) continue;
        arrival.take(piece, now);
        if (turn % 5 === 0) arrival.take(piece, now);
      }
      now += 50;
      const wanted = arrival.wanted(now);
      expect(wanted.length).toBeLessThanOrEqual(16);
      leaving.say(wanted);
    }
    expect(arrival.bytes).toEqual(bytes);
    // What is of another length, or another place, is no piece of it.
    const other = new Arrival(20, 10, 0);
    other.take({ index: 0, total: 30, bytes: new Uint8Array(10) }, 0);
    other.take({ index: 5, total: 20, bytes: new Uint8Array(10) }, 0);
    other.take({ index: 1, total: 20, bytes: new Uint8Array(9) }, 0);
    expect(other.isWhole).toBe(false);
  });
});
