import { describe, expect, it } from "vitest";
import type { Row, Verdict } from "../study.ts";
import { cellsOf, type FeedbackSettings, trainedCells } from "./cells.ts";
import type { Feedback } from "./charts.ts";
import { feedbackStudy } from "./feedback.ts";
import { summarizeFeedback } from "./summary.ts";
import { chanceOfOrder, feedbackVerdicts } from "./verdicts.ts";

const settings: FeedbackSettings = {
  ...feedbackStudy.quick,
  networks: ["mlp"],
  points: [0, 200],
  counts: [1, 4, 16, 64],
  rates: [0.1],
};
const cells = cellsOf(settings);

/** Rows of quality at a cell, after 200 steps: what is measured without a guess, with feedback, and of the mean Jacobian. */
function quality(cell: Row, changes: { readonly [guess: string]: Row } = {}): readonly Row[] {
  const common = { part: "quality", ...cell, step: 200 };
  const drawn = { bias: 0.001, bias_error: 0.002, variance_error: 0.01 };
  return [
    { ...common, guess: "none", cosine: 0.3, ...drawn, variance: 10, variance_error: 0.5, ...changes.none },
    { ...common, guess: "feedback", gamma: 0, cosine: 0.97, bias: 0.05, variance: 0, ...changes.alone },
    {
      ...{ ...common, guess: "feedback", gamma: 1, cosine: 0.9 },
      ...{ ...drawn, variance: 0.2, ...changes.corrected },
    },
    { ...common, guess: "mean Jacobian", cosine: 0.98, bias: 0.04, variance: 0, ...changes.ideal },
  ];
}

/** One run of each method at a cell; accuracies may be absent where it diverged. */
function runs(accuracyOf: (row: Row) => number | undefined): readonly Row[] {
  return trainedCells(settings).map(({ cell, method }) => {
    const row: Row = { part: "accuracy", ...cell, ...method, rate: 0.1, seed: 0 };
    const accuracy = accuracyOf(row);
    return { ...row, validation_accuracy: accuracy, accuracy };
  });
}

/** Exact 0.95, γ = 1 0.93 and less the more tangents; γ = 0 and no guess below. */
function usual(row: Row): number {
  const k = Number(row.k);
  const noise = (Number(row.width) + Number(row.depth)) / 1e6;
  if (row.guess === "exact") return 0.95;
  if (row.guess === "last layer") return 0.5;
  if (row.guess === "none") return 0.9 - 0.2 / k;
  return (row.gamma === 1 ? 0.94 : 0.85) + noise;
}

function verdictOf(rows: readonly Row[], words: string, given = settings): Verdict {
  const results: Feedback = { settings: given, rows, summary: summarizeFeedback(rows) };
  const found = feedbackVerdicts(results).find(({ statement }) => statement.includes(words));
  if (!found) throw new Error(`No verdict on '${words}'.`);
  return found;
}

const measured = (changes?: Parameters<typeof quality>[1]) =>
  cells.flatMap((cell) => quality(cell as unknown as Row, changes));

describe("verdict without bias", () => {
  it("holds where none is found, and one that matters would be", () => {
    expect(verdictOf(measured(), "without bias")).toMatchObject({ holds: true });
  });

  it("does not hold where bias² is beyond chance", () => {
    expect(verdictOf(measured({ corrected: { bias: 0.02 } }), "without bias")).toMatchObject({
      holds: false,
      reason: { fault: "ours" },
    });
  });

  it("is open where draws are too few to find as much as the guess alone has", () => {
    const given = measured({ corrected: { bias: 0, bias_error: 0.3 } });
    expect(verdictOf(given, "without bias")).toMatchObject({ holds: undefined, reason: { fault: "sample" } });
  });
});

describe("verdict on the variance", () => {
  it.each([
    [0.2, true],
    [2, false],
    [1, undefined],
  ])("with %s of 10 left is %s", (variance, holds) => {
    expect(verdictOf(measured({ corrected: { variance } }), "a tenth").holds).toBe(holds);
  });

  it("is open before 200 steps", () => {
    expect(verdictOf(measured(), "a tenth", { ...settings, points: [0, 100] }).holds).toBe(undefined);
  });
});

describe("verdict on what is learned", () => {
  it("compares the guess with the mean Jacobian", () => {
    expect(verdictOf(measured(), "mean Jacobian does").holds).toBe(true);
    expect(verdictOf(measured({ alone: { bias: 0.4 } }), "mean Jacobian does").holds).toBe(false);
  });
});

describe("verdicts on accuracy", () => {
  it("hold where feedback is near the exact gradient, and the guess alone behind", () => {
    const rows = [...measured(), ...runs(usual)];
    expect(verdictOf(rows, "half of the gap").holds).toBe(true);
    expect(verdictOf(rows, "cosine misleads").holds).toBe(true);
    expect(verdictOf(rows, "less accuracy is gained").holds).toBe(true);
  });

  it("do not hold where it is not", () => {
    const slow = (row: Row) => (row.gamma === 1 ? Number(usual(row)) - 0.12 : usual(row));
    const rows = [...measured(), ...runs(slow)];
    expect(verdictOf(rows, "half of the gap").holds).toBe(false);
    expect(verdictOf(rows, "cosine misleads").holds).toBe(false);
    const growing = (row: Row) => (row.guess === "none" ? 0.5 + 0.2 / Number(row.k) : usual(row));
    expect(verdictOf([...measured(), ...runs(growing)], "less accuracy is gained").holds).toBe(false);
  });

  it("leave out cells where every rate diverged, and are open with too few", () => {
    const diverged = (row: Row) => (row.gamma === 0 ? undefined : usual(row));
    const rows = [...measured(), ...runs(diverged)];
    // What diverges ends worst.
    expect(verdictOf(rows, "cosine misleads").holds).toBe(true);
    expect(verdictOf(rows, "half of the gap").holds).toBe(true);
    const unlike = (row: Row) => (row.gamma === 0 && Number(row.k) < 16 ? 0.99 : usual(row));
    expect(verdictOf([...measured(), ...runs(unlike)], "cosine misleads").holds).toBe(undefined);
    expect(verdictOf(measured(), "half of the gap").holds).toBe(undefined);
  });
});

describe("verdict on depth", () => {
  const deep = (variance: number) =>
    cells.flatMap((cell) =>
      quality(cell as unknown as Row, cell.depth === 4 ? { corrected: { variance } } : {}),
    );

  it("follows the ratio of the variances", () => {
    expect(verdictOf(deep(4), "deeper").holds).toBe(true);
    expect(verdictOf(deep(0.2), "deeper").holds).toBe(undefined);
    expect(verdictOf(deep(0.02), "deeper").holds).toBe(false);
  });
});

describe("chanceOfOrder", () => {
  it("is one in 24 of four numbers in falling order, and all of them in rising order", () => {
    expect(chanceOfOrder([4, 3, 2, 1])).toBeCloseTo(1 / 24);
    expect(chanceOfOrder([4, 3, 1, 2])).toBeCloseTo(4 / 24);
    expect(chanceOfOrder([1, 2, 3, 4])).toBe(1);
  });
});
