import { describe, expect, it } from "vitest";
import type { Trial } from "../search/events.ts";
import { drawTrials, tableOfTrials, trialsAsCsv } from "./search-report.ts";

const trials: Trial[] = [
  {
    rung: 0,
    learningRate: 0.01,
    seed: 0,
    steps: 10,
    diverged: false,
    validationLoss: 2,
    validationAccuracy: 0.25,
    seconds: 1,
  },
  { rung: 0, learningRate: 100, seed: 0, steps: 10, diverged: true, seconds: 0.5 },
  { rung: 1, learningRate: 0.01, seed: 0, steps: 30, diverged: false, validationLoss: 1.5, seconds: 3 },
];

describe("a search's report", () => {
  it("has a row for each trial, empty where there is no number", () => {
    expect(trialsAsCsv(trials)).toBe(
      "rung,learningRate,seed,steps,diverged,validationLoss,validationAccuracy,seconds\n" +
        "0,0.01,0,10,false,2,0.25,1\n0,100,0,10,true,,,0.5\n1,0.01,0,30,false,1.5,,3\n",
    );
  });

  it("is a table with the longest runs first", () => {
    expect(tableOfTrials(trials).split("\n")).toEqual([
      "steps     rate  seed  validation loss  accuracy",
      "   30  0.01000     0           1.5000         –",
      "   10  0.01000     0           2.0000   25.00 %",
      "   10    100.0     0         diverged         –",
    ]);
  });

  it("is a chart without the runs that diverged", async () => {
    const svg = await drawTrials(trials, "loss");
    expect(svg).toMatch(/^<svg [^>]*>.*<\/svg>$/s);
    const points = svg.match(/aria-label="learning rate: [^"]*"/g) ?? [];
    expect(points.join("\n")).toContain("learning rate: 0.01; validation loss: 1.5; steps: 30");
    expect(points.join("\n")).not.toContain("learning rate: 100");
  });

  it("is a chart of nothing where all diverged", async () => {
    expect(await drawTrials(trials.slice(1, 2), "accuracy")).toContain("validation accuracy");
  });
});
