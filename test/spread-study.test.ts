/** Studies whose units other participants measure: the same rows as alone, none lost, none twice. */
import { describe, expect, it } from "vitest";
import { memoryNetwork } from "../src/distributed/memory-transport.ts";
import type { Transport } from "../src/distributed/transport.ts";
import type { Runtime } from "../src/runtime/runtime.ts";
import { type MemoryStore, memoryStore } from "../src/storage/memory-store.ts";
import { runStudy, type StudyEvent } from "../src/studies/run.ts";
import { resolveSettings } from "../src/studies/settings.ts";
import { decodeUnit, encode, subjects } from "../src/studies/spread/messages.ts";
import { offerUnits } from "../src/studies/spread/offer.ts";
import { takeUnits } from "../src/studies/spread/take.ts";
import { studies } from "../src/studies/studies.ts";
import type { Study } from "../src/studies/study.ts";

const study = studies.functions as Study;
const settings = resolveSettings(study, "tiny", {});
const environment = (signal: AbortSignal) => ({
  // The study of closed forms runs no graph.
  runtime: {} as Runtime,
  signal,
  dataset: () => Promise.reject(new Error("no study of a dataset")),
  scratch: () => memoryStore(),
});

async function run(store: MemoryStore, signal: AbortSignal, transport?: Transport, resume = false) {
  const events: StudyEvent[] = [];
  const ahead = memoryStore(store.files);
  const elsewhere = transport && {
    elsewhere: (units: Parameters<typeof offerUnits>[0]) =>
      offerUnits(units, { study, settings, transport, ahead, signal }),
  };
  const given = { study, settings, store, environment: environment(signal), resume, commitSeconds: 0 };
  for await (const event of runStudy({ ...given, ...elsewhere })) events.push(event);
  return events;
}

const never = new AbortController().signal;
const alone = memoryStore();
await run(alone, never);
const expected = alone.text("results.csv");

/** Lines of a table without what was measured by a clock. */
function withoutTimes(table: string): readonly string[] {
  const lines = table.split("\n").map((line) => line.split(","));
  const seconds = lines[0]?.indexOf("seconds") ?? -1;
  expect(seconds).toBeGreaterThan(0);
  return lines.map((line) => line.filter((_, index) => index !== seconds).join());
}

describe("a study that is spread over workers", () => {
  it("has the rows that it has alone, where messages are lost and repeated and workers come and go", async () => {
    const network = memoryNetwork({ drop: 0.1, repeat: 0.1, delay: 5, taskMilliseconds: 200 });
    const store = memoryStore();
    const leaving = new AbortController();
    const work = (signal: AbortSignal, onEvent?: () => void) => {
      const transport = network.join("worker");
      const took = takeUnits({ transport, environment: environment(signal), ...(onEvent && { onEvent }) });
      return { transport, took };
    };
    let measured = 0;
    // One goes when it has measured some; one is cut off in the middle, and never comes back.
    const first = work(leaving.signal, () => {
      if (++measured === 6) leaving.abort();
    });
    const lost = work(never, () => network.cut(lost.transport.participant));
    lost.took.catch(() => undefined);
    const last = work(never);
    const events = await run(store, never, network.join("owner"));
    expect(withoutTimes(store.text("results.csv"))).toEqual(withoutTimes(expected));
    expect(events.at(-1)?.kind).toBe("done");
    expect((await first.took).how).toBe("stopped");
    const { how, units } = await last.took;
    expect(how).toBe("done");
    expect(units).toBeGreaterThan(10);
    expect(store.files.has("rows.jsonl")).toBe(false);
    await lost.transport.close();
  }, 30_000);

  it("goes on where its process was stopped, with the rows that came before it was their turn", async () => {
    const network = memoryNetwork();
    const store = memoryStore();
    const stop = new AbortController();
    const owner = network.join("owner");
    const plan = study.plan(settings);
    const worker = network.join("worker");
    // Rows of the last unit alone: it is not their turn until all others are there.
    const early = plan.at(-1)?.key;
    let sent = 0;
    const dishonest = network.join("worker");
    worker.subscribe("coordinator", subjects.stored(worker.participant), () => {
      if (++sent === 1) stop.abort();
    });
    const first = run(store, stop.signal, owner);
    for (;;) {
      const task = await worker.queue.take(2000);
      const unit = task && decodeUnit(task.message);
      if (!unit || unit.key !== early) continue;
      // What is no table of this study is not taken for one.
      dishonest.publish("worker", subjects.rows, encode({ ...unit, rows: "what,ever\n1,2\n" }));
      const lines = expected.trimEnd().split("\n");
      const rows = `${[lines[0], lines.at(-1)].join("\n")}\n`;
      worker.publish("worker", subjects.rows, encode({ ...unit, rows }));
      break;
    }
    expect((await first).at(-1)).toMatchObject({ kind: "interrupted", finished: 0 });
    expect(store.text("rows.jsonl").split("\n")).toHaveLength(2);
    await Promise.all([owner.close(), worker.close(), dishonest.close()]);
    const again = takeUnits({ transport: network.join("worker"), environment: environment(never) });
    await run(store, never, network.join("owner"), true);
    await again;
    // Of the last unit, what was sent before: one row of several.
    const [before, after] = [expected, store.text("results.csv")].map((table) => table.trimEnd().split("\n"));
    expect(after?.at(-1)).toBe(before?.at(-1));
    expect(after?.length).toBeLessThan(before?.length ?? 0);
  }, 30_000);

  it("fails where a unit fails on several workers, and refuses workers of another version", async () => {
    const network = memoryNetwork();
    const owner = network.join("owner");
    const broken: Study = {
      ...study,
      plan: (given) =>
        study.plan(given).map((unit) => ({ ...unit, measure: () => Promise.reject(new Error("broken")) })),
    };
    Object.assign(studies, { broken: { ...broken, name: "broken" } });
    const signal = never;
    const given = { study: studies.broken as Study, settings };
    const elsewhere = (units: Parameters<typeof offerUnits>[0]) =>
      offerUnits(units, { ...given, transport: owner, ahead: memoryStore(), signal });
    const events = runStudy({
      ...given,
      store: memoryStore(),
      environment: environment(signal),
      resume: false,
      elsewhere,
    });
    const stop = new AbortController();
    const worker = takeUnits({ transport: network.join("worker"), environment: environment(stop.signal) });
    await expect(
      (async () => {
        for await (const _ of events);
      })(),
    ).rejects.toThrow(/broken, .*: broken/);
    stop.abort();
    await worker;
    const described = {
      version: "0.0.1",
      study: "functions",
      settings: {},
      identity: "other",
      isOver: false,
    };
    await owner.objects.put("study", new TextEncoder().encode(JSON.stringify(described)));
    const refused = takeUnits({ transport: network.join("worker"), environment: environment(never) });
    await expect(refused).rejects.toThrow("is run by forwardgrad 0.0.1");
    Reflect.deleteProperty(studies, "broken");
  }, 30_000);
});
