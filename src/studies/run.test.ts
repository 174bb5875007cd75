import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { memoryStore } from "../storage/memory-store.ts";
import { runStudy, type StudyEvent } from "./run.ts";
import { summarizeBy } from "./statistics.ts";
import type { Environment, Study } from "./study.ts";

type SquareSettings = { numbers: number[] };

/** A study that squares numbers; `broken` makes a unit fail, `measured` lists those that ran. */
function squares(
  options: { broken?: number; measured?: number[]; order?: "down" } = {},
): Study<SquareSettings> {
  const columns = ["number", "square"].map((name) => ({ name, kind: "number" as const, description: name }));
  return {
    name: "squares",
    title: "Squares",
    source: "a test",
    claim: "Squares are not negative.",
    equation: ["y = x²"],
    method: "By multiplication.",
    settings: { numbers: z.array(z.number()).check(z.describe("what is squared")) },
    full: { numbers: [1, 2, 3, 4] },
    quick: { numbers: [1, 2] },
    quickLeavesOut: "The larger numbers.",
    tiny: { numbers: [1, 2, 3] },
    columns,
    summaryColumns: columns,
    plan: ({ numbers }) =>
      (options.order === "down" ? numbers.toReversed() : numbers).map((number) => ({
        key: `number=${number}`,
        cost: number,
        async measure({ advance }) {
          if (number === options.broken) throw new Error("The multiplication failed; try again.");
          options.measured?.push(number);
          advance(0.5);
          return [{ number, square: number * number }];
        },
      })),
    summarize: (rows) => summarizeBy(rows, ["number"], ["square"]),
    charts: () => [],
    verdicts: () => [],
  };
}

const environment = { signal: new AbortController().signal } as Environment;

async function follow(study: Study<SquareSettings>, store: ReturnType<typeof memoryStore>, resume = false) {
  const events: StudyEvent[] = [];
  const shares: number[] = [];
  const run = {
    study: study as unknown as Study,
    settings: study.full,
    store,
    environment,
    resume,
    onAdvance: (share: number) => shares.push(share),
  };
  for await (const event of runStudy(run)) events.push(event);
  return { events, shares };
}

describe("runStudy", () => {
  it("measures unit by unit, and says how much of the work is done", async () => {
    const store = memoryStore();
    const { events, shares } = await follow(squares(), store);
    expect(events.map((event) => event.kind)).toEqual(["start", "unit", "unit", "unit", "unit", "done"]);
    expect(events.flatMap((event) => ("share" in event ? [event.share] : []))).toEqual([0, 0.1, 0.3, 0.6, 1]);
    expect(shares).toEqual([0.05, 0.2, 0.45, 0.8]);
    expect(store.text("results.csv")).toBe("number,square\n1,1\n2,4\n3,9\n4,16\n");
    expect(JSON.parse(store.text("config.json"))).toEqual({ study: "squares", numbers: "1,2,3,4" });
  });

  it("keeps what was measured before a unit failed, and goes on with that unit", async () => {
    const store = memoryStore();
    const failed = follow(squares({ broken: 3 }), store);
    await expect(failed).rejects.toThrow("squares, number=3: The multiplication failed; try again.");
    expect(store.text("results.csv")).toBe("number,square\n1,1\n2,4\n");
    const measured: number[] = [];
    await follow(squares({ measured }), store, true);
    expect(measured).toEqual([3, 4]);
    expect(store.text("results.csv")).toBe("number,square\n1,1\n2,4\n3,9\n4,16\n");
  });

  it("starts anew where a kill came before anything was written", async () => {
    for (const names of [["config.json"], ["config.json", "state.json"]]) {
      const whole = memoryStore();
      await expect(follow(squares({ broken: 1 }), whole)).rejects.toThrow("failed");
      const store = memoryStore(new Map([...whole.files].filter(([name]) => names.includes(name))));
      if (names.length === 2)
        await store.write(
          "state.json",
          new TextEncoder().encode('{"finished":0,"bytes":0,"sha256":"","seconds":0}'),
        );
      await follow(squares(), store, true);
      expect(store.text("results.csv")).toBe("number,square\n1,1\n2,4\n3,9\n4,16\n");
    }
  });

  it.each([
    ["lost", (files: Map<string, Uint8Array>) => void files.delete("state.json"), "state.json is missing"],
    [
      "damaged",
      (files: Map<string, Uint8Array>) => void files.set("state.json", new TextEncoder().encode("{")),
      "memory/state.json is damaged",
    ],
  ])("refuses a %s state, and changes nothing", async (_, damage, message) => {
    const store = memoryStore();
    await follow(squares(), store);
    damage(store.files);
    const before = new Map(store.files);
    await expect(follow(squares(), store, true)).rejects.toThrow(message);
    expect(store.files).toEqual(before);
  });

  it("refuses a folder with results of unknown origin, and leaves them", async () => {
    const store = memoryStore();
    await store.append("results.csv", "mine");
    await expect(follow(squares(), store, true)).rejects.toThrow("holds a results.csv but no config.json");
    expect([...store.files.keys()]).toEqual(["results.csv"]);
  });

  it("refuses a folder that another version with another plan began", async () => {
    const store = memoryStore();
    await expect(follow(squares({ broken: 3 }), store)).rejects.toThrow("failed");
    await expect(follow(squares({ order: "down" }), store, true)).rejects.toThrow(
      "measured by another version of the study 'squares': its unit 2 is 'number=2', here 'number=3'",
    );
  });

  it("refuses a plan with two units of one key", async () => {
    const study = { ...squares(), full: { numbers: [1, 1] } };
    await expect(follow(study, memoryStore())).rejects.toThrow("two units 'number=1'");
  });
});
