import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { drawChart, narrowChart, wideChart } from "../src/charts/vega.ts";
import { glyphs } from "../src/data/sets/glyphs.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { memoryStore } from "../src/storage/memory-store.ts";
import { htmlReport, markdownReport, summaryCsv } from "../src/studies/report.ts";
import { decodeRows } from "../src/studies/results.ts";
import { runStudy, type StudyEvent } from "../src/studies/run.ts";
import { resolveSettings } from "../src/studies/settings.ts";
import { studies } from "../src/studies/studies.ts";
import type { Results, Study } from "../src/studies/study.ts";
import { outcomeText, whyText } from "../src/studies/verdict.ts";

const runtime = nodeRuntime({ threads: 1 });
const encoder = new TextEncoder();

interface Session {
  readonly store: ReturnType<typeof memoryStore>;
  readonly resume?: boolean;
  /** Aborts after so many units. */
  readonly units?: number;
}

/** Runs a study's smallest settings and returns its events. */
async function follow(study: Study, { store, resume = false, units }: Session): Promise<StudyEvent[]> {
  const controller = new AbortController();
  const events: StudyEvent[] = [];
  const scratch = new Map<string, ReturnType<typeof memoryStore>>();
  for await (const event of runStudy({
    study,
    settings: resolveSettings(study, "tiny"),
    store,
    resume,
    commitSeconds: 0,
    environment: {
      runtime,
      signal: controller.signal,
      dataset: async () => glyphs({ train: 200, test: 100, seed: 0 }),
      scratch(name) {
        const known = scratch.get(name) ?? memoryStore();
        scratch.set(name, known);
        return known;
      },
    },
  })) {
    events.push(event);
    if (event.kind === "unit" && event.finished === units) controller.abort();
  }
  return events;
}

function resultsOf(events: readonly StudyEvent[]): Results {
  const last = events.at(-1);
  if (last?.kind !== "done") throw new Error(`The study ended with '${last?.kind}', expected 'done'.`);
  return last.results;
}

describe.each(Object.entries(studies))("study %s", (name, study) => {
  const whole = memoryStore();
  const run = follow(study, { store: whole });

  it("has its name in the list, and says all that a report shows", () => {
    expect(study.name).toBe(name);
    for (const text of [study.title, study.source, study.claim, study.method, ...study.equation])
      expect(text.length).toBeGreaterThan(3);
    expect(study.equation.length).toBeGreaterThan(0);
    for (const rule of Object.values(study.settings) as z.core.$ZodType[])
      expect(z.globalRegistry.get(rule)?.description).toBeTruthy();
  });

  it.each(["full", "quick", "tiny"] as const)(
    "has %s settings that follow its rules, and a plan of distinct units",
    (scale) => {
      const settings = resolveSettings(study, scale);
      expect(z.strictObject(study.settings).safeParse(settings).error).toBeUndefined();
      const units = study.plan(settings);
      expect(new Set(units.map(({ key }) => key)).size).toBe(units.length);
      expect(units.length).toBeGreaterThanOrEqual(3);
      for (const { cost } of units) expect(cost).toBeGreaterThan(0);
    },
  );

  it("ends, and its files say what it found", async () => {
    const events = await run;
    const results = resultsOf(events);
    const units = study.plan(results.settings).length;
    expect(events.filter(({ kind }) => kind === "unit")).toHaveLength(units);
    expect(results.rows.length).toBeGreaterThanOrEqual(units);
    expect(decodeRows("results.csv", whole.files.get("results.csv") as Uint8Array, study.columns)).toEqual(
      results.rows,
    );
    const summary = encoder.encode(summaryCsv({ study, results }));
    expect(decodeRows("summary.csv", summary, study.summaryColumns)).toEqual(results.summary);
  });

  it("draws its charts, wide and narrow", async () => {
    const results = resultsOf(await run);
    const charts = study.charts(results);
    expect(charts.length).toBeGreaterThan(0);
    expect(new Set(charts.map((chart) => chart.name)).size).toBe(charts.length);
    for (const chart of charts) {
      for (const width of [wideChart, narrowChart]) {
        const svg = await drawChart(chart, width, "file");
        expect(svg).toContain("<svg");
        expect(svg).not.toMatch(/NaN|undefined/);
        const drawn = Number(/<svg [^>]*\bwidth="([\d.]+)"/.exec(svg)?.[1]);
        expect(drawn, `${chart.name} at ${width}`).toBeLessThan(1.1 * width);
      }
      expect(chart.title.length + chart.caption.length).toBeGreaterThan(20);
    }
  });

  it("writes reports with claim, verdicts and charts", async () => {
    const results = resultsOf(await run);
    const drawn = study.charts(results).map((chart) => ({ chart, wide: '<svg id="a"/>', narrow: "<svg/>" }));
    const report = { study, scale: "quick", results, drawn, seconds: 3, software: "some" } as const;
    const verdicts = study.verdicts(results);
    expect(verdicts.length).toBeGreaterThan(0);
    const [markdown, html] = [markdownReport(report), htmlReport(report)];
    expect(study.quickLeavesOut.length).toBeGreaterThan(30);
    for (const text of [study.claim, study.quickLeavesOut, ...verdicts.map(({ statement }) => statement)])
      expect(markdown).toContain(text);
    // Whoever reads that a claim does not hold reads first why, and whose doing it is.
    for (const verdict of verdicts)
      if (verdict.holds !== true)
        expect(markdown).toContain(`(${outcomeText(verdict)}): ${whyText(verdict)}`);
    for (const { chart } of drawn) {
      expect(markdown).toContain(`charts/${chart.name}.svg`);
      expect(html).toContain(`<figure id="${chart.name}">`);
    }
    expect(html).not.toMatch(/<script|src=|href=|undefined|\[object/);
    expect(markdown).not.toMatch(/undefined|\[object/);
  });

  it("goes on after an interruption with the same bytes", async () => {
    await run;
    const store = memoryStore();
    const before = await follow(study, { store, units: 1 });
    expect(before.at(-1)).toMatchObject({ kind: "interrupted", finished: 1 });
    const kept = store.text("results.csv");
    // A kill in the middle of a write leaves half a row.
    await store.append("results.csv", "1,2");
    const after = await follow(study, { store, resume: true });
    expect(after[0]).toMatchObject({ kind: "start", finished: 1 });
    expect(store.text("results.csv").startsWith(kept)).toBe(true);
    const untimed = study.columns
      .filter(({ name: column }) => !/seconds|milliseconds/.test(column))
      .map((column) => column.name);
    const bare = (results: Results) => results.rows.map((row) => untimed.map((column) => row[column]));
    expect(bare(resultsOf(after))).toEqual(bare(resultsOf(await run)));
    expect(await follow(study, { store, resume: true })).toHaveLength(2);
  });

  it.each([
    [
      "a number that is none",
      // The last field of the first row, as long as before.
      (text: string) =>
        text.replace(/^(.*\n.*?)([^,\n]+)\n/, (_, start, field) => `${start}${"x".repeat(field.length)}\n`),
      /row 2, column '\w+' holds 'x+', expected a number|SHA-256/,
    ],
    [
      "a lost line",
      (text: string) => text.split("\n").slice(0, -2).join("\n"),
      /expected at least the \d+ that state.json counts on/,
    ],
    ["another header", (text: string) => text.replace(/^\w+/, "other"), /the header is 'other/],
    [
      "a changed digit",
      (text: string) => text.replace(/\d(?=\D*$)/, (digit) => String((Number(digit) + 1) % 10)),
      /SHA-256/,
    ],
  ])("refuses results with %s, and changes nothing", async (_, damage, message) => {
    await run;
    const store = memoryStore(new Map(whole.files));
    const damaged = encoder.encode(damage(whole.text("results.csv")));
    store.files.set("results.csv", damaged);
    const before = new Map(store.files);
    await expect(follow(study, { store, resume: true })).rejects.toThrow(message);
    expect(store.files).toEqual(before);
  });
});
