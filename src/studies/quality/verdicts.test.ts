import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { decodeRows } from "../results.ts";
import type { Row } from "../study.ts";
import { summaryQualityColumns } from "./batch.ts";
import { quality } from "./quality.ts";
import { unbiased } from "./unbiased.ts";
import { qualityVerdicts } from "./verdicts.ts";

// The run whose report is in the docs.
const file = "docs/studies/quality/summary.csv";
const header = readFileSync(file, "utf8").split("\n", 1)[0]?.split(",") ?? [];
const measured = decodeRows(
  file,
  readFileSync(file),
  // It is older than bias² and variance.
  summaryQualityColumns.filter(({ name }) => header.includes(name)),
);
const verdicts = (summary: readonly Row[]) => qualityVerdicts({ settings: quality.full, rows: [], summary });
/** The cells with a reference, moved by so many of the authors' standard errors, of which each has 1,000 draws. */
const moved = (errors: number, which: (row: Row) => boolean) =>
  measured.map((row) =>
    row.gradient === "ones" && which(row)
      ? { ...row, cosine_mean: Number(row.cosine_mean) + (errors * Number(row.cosine_sd)) / Math.sqrt(1000) }
      : row,
  );

describe("verdicts on agreement", () => {
  it("hold where a few values more than one in a hundred stray, as those of shared draws do", () => {
    const [growth, , , , , forms, reference] = verdicts(measured);
    expect([growth?.holds, forms?.holds, reference?.holds]).toEqual([true, true, true]);
    expect(reference?.evidence).toContain("22 of 714 values (3.1 %) are outside the 99 % interval");
    expect(reference?.evidence).toContain("gives chance");
  });

  it("do not hold where one value is far off, or many are a little", () => {
    const one = moved(6, ({ n, k, aggregation }) => n === 16 && k === 4 && aggregation === "mean");
    const many = moved(-4, ({ n }) => Number(n) >= 64 && Number(n) <= 1024);
    for (const changed of [one, many]) expect(verdicts(changed).at(-1)?.holds).toBe(false);
  });

  it("say whose values stray: those here, where they disagree with the closed forms as well", () => {
    const all = verdicts(moved(6, ({ n }) => n === 16));
    expect(all.at(-1)).toMatchObject({ holds: false, reason: { fault: "ours" } });
    expect(all.at(-2)).toMatchObject({ holds: false, reason: { fault: "ours" } });
  });

  it("on bias and variance hold where the values are the closed forms', and not where one is off", () => {
    const cell = { n: 8, k: 4, gradient: "ones", aggregation: "mean", tangents: "gaussian", samples: 500 };
    const row = { ...cell, bias_squared: 0.01, bias_squared_error: 0.02, variance: 2.3, variance_error: 0.1 };
    const judge = (changes: Row) =>
      unbiased(
        { settings: quality.full, rows: [], summary: [{ ...row, ...changes }] },
        { fault: "ours", why: "so" },
      );
    expect(judge({})).toMatchObject({ holds: true });
    // (n + 1)/k = 2.25 of the mean, n/k − 1 = 1 of the projection
    expect(judge({ aggregation: "projection" })).toMatchObject({ holds: false });
    expect(judge({ aggregation: "projection", variance: 1.1 })).toMatchObject({ holds: true });
    expect(judge({ bias_squared: 0.2 })).toMatchObject({ holds: false });
    expect(judge({ bias_squared: 0.2, bias_squared_error: 0 })).toMatchObject({ holds: false });
    // Rounding, of an estimate that does not vary.
    expect(judge({ bias_squared: 1e-29, bias_squared_error: 1e-30 })).toMatchObject({ holds: true });
    // z = 3: 8 s, with a standard error of √34 s.
    expect(judge({ bias_squared: 0.08, bias_squared_error: 0.01 * Math.sqrt(34) }).evidence).toContain(
      "by 3.0 standard errors",
    );
    expect(judge({ variance: 1.8 })).toMatchObject({ holds: false });
    expect(judge({ variance: undefined })).toMatchObject({ holds: undefined });
  });

  it("take a fall of the cosine for chance only where it may be", () => {
    const lowered = (errors: number) =>
      measured.map((row) =>
        row.n === 65536 && row.k === 4 && row.aggregation === "projection" && row.gradient === "ones"
          ? {
              ...row,
              cosine_mean:
                Number(
                  measured.find((one) => one.n === 65536 && one.k === 2 && one.aggregation === "projection")
                    ?.cosine_mean,
                ) -
                (errors * Number(row.cosine_sd)) / Math.sqrt(Number(row.samples)),
            }
          : row,
      );
    expect(verdicts(lowered(1))[0]?.holds).toBe(true);
    expect(verdicts(lowered(1))[0]?.evidence).toContain("gives chance 100 %");
    expect(verdicts(lowered(12))[0]).toMatchObject({ holds: false, reason: { fault: "ours" } });
  });
});
