import { describe, expect, it } from "vitest";
import type { Results, Row } from "../study.ts";
import { aggregatorsOf, cellKey, cellsOf, type FrontierSettings } from "./cells.ts";
import { frontierCharts, frontierTables, qualityCells } from "./charts.ts";
import { frontier } from "./frontier.ts";
import { median, summarizeFrontier } from "./summary.ts";
import { frontierVerdicts } from "./verdicts.ts";

const settings: FrontierSettings = {
  ...frontier.tiny,
  models: ["mlp"],
  trainedModels: ["mlp"],
  points: ["start"],
};
const cost = { dimension: 10, units: 5, numbers: 100, bytes: 8 };

/** Rows of a cell, one a draw; by default of activations at k = 16. */
function quality(cosines: readonly number[], changes: Row = {}): readonly Row[] {
  return cosines.map((cosine, draw) => ({
    part: "quality",
    model: "mlp",
    estimator: "activations",
    sampler: "gaussian",
    k: 16,
    aggregator: "projection",
    point: "start",
    draw,
    cosine,
    norm_ratio: 1,
    bias: 0,
    variance: 1,
    milliseconds: 6,
    exact_milliseconds: 2,
    ...cost,
    ...changes,
  }));
}

/** Training runs at one factor, one a seed. */
function runs(accuracies: readonly (number | undefined)[], changes: Row = {}): readonly Row[] {
  return accuracies.map((accuracy, seed) => ({
    part: "accuracy",
    model: "mlp",
    estimator: "activations",
    sampler: "gaussian",
    k: 16,
    aggregator: "projection",
    factor: 1,
    seed,
    learning_rate: 0.1,
    validation_accuracy: accuracy,
    accuracy,
    training_seconds: accuracy === undefined ? undefined : 3,
    ...cost,
    ...changes,
  }));
}

function resultsOf(rows: readonly Row[]): Results<FrontierSettings> {
  return { settings, rows, summary: summarizeFrontier(rows) };
}

function verdict(rows: readonly Row[], start: string) {
  const found = frontierVerdicts(resultsOf(rows)).find(({ statement }) => statement.startsWith(start));
  if (!found) throw new Error(`No verdict starts with '${start}'.`);
  return found;
}

const steady = [0.4, 0.402, 0.398, 0.401, 0.399];
const times = (values: readonly number[], factor: number) => values.map((value) => factor * value);

describe("verdicts on the cosine at equal k", () => {
  /** The cosines of Rademacher tangents at two numbers of tangents, next to steady Gaussian ones. */
  const rademacher = (...cosines: readonly (readonly number[])[]) =>
    verdict(
      cosines.flatMap((own, k) => [
        ...quality(steady, { k: k + 1 }),
        ...quality(own, { k: k + 1, sampler: "rademacher" }),
      ]),
      "Rademacher tangents have at least",
    );

  it("hold where the other is equal, better, or lower by less than matters", () => {
    for (const factor of [1, 1.2, 0.99])
      expect(rademacher(times(steady, factor), times(steady, factor)).holds, `${factor}`).toBe(true);
  });

  it("do not hold where it is lower draw by draw", () => {
    const { holds, evidence } = rademacher(times(steady, 0.9), times(steady, 0.9));
    expect(holds).toBe(false);
    expect(evidence).toContain("instead of gaussian is −10.5 ± 0.0 % higher on average over 2 cells");
    expect(evidence).toContain(
      "lower by more than 2 % beyond the 95 % interval in 2 (activations 2), where 0",
    );
  });

  it("are open where draws differ more than the cells, and where there are no pairs", () => {
    const wild = [0.9, 0.1, 0.7, 0.05, 0.2];
    expect(rademacher(wild, times(wild, 2)).holds).toBeUndefined();
    expect(verdict(quality(steady), "Rademacher tangents have at least").holds).toBeUndefined();
    expect(rademacher(steady).holds).toBeUndefined();
    expect(rademacher([0.4], [0.4]).holds).toBeUndefined();
  });

  it("pair rows of the same batch: what batches share is no spread", () => {
    const uneven = [0.1, 0.9, 0.3, 0.7, 0.5];
    const rows = [4, 16].flatMap((k) => [
      ...quality(uneven, { k, aggregator: "mean" }),
      ...quality(times(uneven, 0.95), { k }),
    ]);
    // Draw by draw 2 to 9 % lower: unpaired, their spread would hide it.
    const { evidence } = verdict(rows, "Projection has at least");
    expect(evidence).toContain("instead of mean is −5.1 ± 0.0 %");
    const lower = verdict(
      rows.map((row) =>
        row.aggregator === "projection" ? { ...row, cosine: Number(row.cosine) - 0.05 } : row,
      ),
      "Projection has at least",
    );
    expect(lower.holds).toBe(false);
  });

  it("count aggregators of a cell, which share its tangents, once", () => {
    const factors = [0.8, 1.1, 1.05];
    const rows = (aggregators: readonly string[]) =>
      aggregators.flatMap((aggregator) =>
        factors.flatMap((factor, k) => [
          ...quality(steady, { k, aggregator }),
          ...quality(times(steady, factor), { k, aggregator, sampler: "rademacher" }),
        ]),
      );
    const interval = (aggregators: readonly string[]) =>
      /is (\S+ ± \S+) %/.exec(verdict(rows(aggregators), "Rademacher tangents have at least").evidence)?.[1];
    expect(interval(["mean"])).toMatch(/^−2.6 ± \d/);
    expect(interval(["mean", "projection"])).toBe(interval(["mean"]));
  });

  it("are open where more cells are lower than allowed, by no more than chance may make them", () => {
    const uneven = [0.4, 0.41, 0.37, 0.42, 0.39];
    const low = [0.36, 0.372, 0.345, 0.385, 0.33];
    const { holds, evidence } = rademacher(low, ...Array.from({ length: 5 }, () => times(uneven, 1.05)));
    expect(evidence).toContain(
      "in 1 (activations 1), where 0 are allowed for chance; a test of all of them at once gives",
    );
    expect(holds).toBeUndefined();
  });

  it("let as many cells be lower as chance makes", () => {
    const pair = (k: number, factor: number) => [
      ...quality(steady, { k }),
      ...quality(times(steady, factor), { k, sampler: "rademacher" }),
    ];
    const cells = (lower: number) =>
      Array.from({ length: 40 }, (_, k) => pair(k + 1, k < lower ? 0.95 : 1.003)).flat();
    expect(verdict(cells(2), "Rademacher tangents have at least").holds).toBe(true);
    expect(verdict(cells(3), "Rademacher tangents have at least").holds).toBe(false);
  });
});

describe("verdicts on the cosine at equal cost", () => {
  const weights = (cosines: readonly number[], units: number) =>
    quality(cosines, { estimator: "dense", units });

  it("compare with the best rival that costs no more", () => {
    const rows = [
      ...quality(times(steady, 0.5), { k: 4, units: 2 }),
      ...quality(steady),
      ...weights(times(steady, 0.7), 9),
    ];
    const { holds, evidence } = verdict(
      rows,
      "Activations per example have a higher cosine than weights that cost",
    );
    expect(holds).toBe(true);
    expect(evidence).toContain("of 1 cells, 1 have a rival that costs no more; its cosine is 1.43 times");
  });

  it("do not hold where one cell is better for as much", () => {
    const rows = [...quality(steady), ...weights(times(steady, 0.1), 9), ...weights(times(steady, 1.5), 5)];
    const changed = rows.map((row) => (row.units === 9 ? { ...row, k: 4 } : row));
    const { holds, evidence } = verdict(
      changed,
      "Activations per example have a higher cosine than weights that cost",
    );
    expect(holds).toBe(false);
    expect(evidence).toContain("in 1 (mlp, start); a test of all of them at once gives chance");
  });

  it("are open where nothing is as cheap", () => {
    const { holds } = verdict(
      [...quality(steady), ...weights(times(steady, 2), 4.9)],
      "Activations per example have a higher cosine than weights that cost",
    );
    expect(holds).toBeUndefined();
  });

  it("take times relative to the exact gradient measured with them", () => {
    // Twice the milliseconds on a machine twice as busy.
    const rows = [
      ...quality(steady, { milliseconds: 12, exact_milliseconds: 4 }),
      ...weights(times(steady, 0.5), 9).map((row) => ({ ...row, milliseconds: 7 })),
    ];
    expect(verdict(rows, "Activations per example have a higher cosine than weights that take").holds).toBe(
      true,
    );
  });
});

describe("verdicts on many cells", () => {
  it("hold where one of a hundred is lower by no more than chance lets it", () => {
    const rows = Array.from({ length: 100 }, (_, k) => [
      ...quality(steady, { k, units: k + 5 }),
      // Four standard errors of four draws' worth of freedom: one in a hundred cells.
      ...quality(
        times(steady, k === 7 ? 1.008 : 0.5).map((value, draw) => value + 0.001 * draw),
        { k, units: k + 5, estimator: "dense" },
      ),
    ]).flat();
    const { holds, evidence } = verdict(
      rows,
      "Activations per example have a higher cosine than weights that cost",
    );
    expect(evidence).toContain("in 1 (mlp, start); a test of all of them at once gives chance 83 %");
    expect(holds).toBe(true);
  });
});

describe("verdicts on accuracy", () => {
  const pairs = (differences: readonly number[]) =>
    differences.flatMap((difference, k) => [
      ...runs([0.8, 0.82], { k }),
      ...runs([0.8 + difference, 0.82 + difference], { k, sampler: "rademacher" }),
    ]);
  const statement = "Rademacher tangents train at least";

  it("hold, do not hold and are open by the mean difference and its spread", () => {
    expect(verdict(pairs([0.001, -0.001, 0.002, 0]), statement).holds).toBe(true);
    expect(verdict(pairs([-0.02, -0.021, -0.019]), statement).holds).toBe(false);
    expect(verdict(pairs([-0.04, 0.05]), statement).holds).toBeUndefined();
    expect(verdict(pairs([-0.2, 0.12, -0.01]), statement).holds).toBeUndefined();
    expect(verdict(pairs([0.01]), statement).holds).toBeUndefined();
  });

  it("count the factor with the best validation accuracy, of those where nothing diverged", () => {
    const rows = [
      ...runs([0.7, 0.7], { factor: 0.3 }),
      ...runs([0.9, undefined], { factor: 3 }),
      ...runs([0.85, 0.87], { validation_accuracy: 0.5 }),
    ];
    const [row] = summarizeFrontier(rows);
    expect(row).toMatchObject({ factor: 0.3, accuracy_mean: 0.7, count: 2, training_seconds: 3 });
    expect(summarizeFrontier(runs([undefined]))[0]).toMatchObject({ factor: undefined, count: 0 });
  });

  it("name the best other estimator", () => {
    const rows = [...runs([0.8]), ...runs([0.9], { estimator: "low-rank", rank: 1 })];
    const { holds, evidence } = verdict(rows, "Activations per example reach the highest");
    expect(holds).toBe(false);
    expect(evidence).toContain("mlp 80.0 %, next 90.0 % (low-rank)");
  });

  it("say whether another one leads for sure, or by one seed", () => {
    const best = (own: readonly number[], other: readonly number[]) =>
      verdict(
        [...runs(own), ...runs(other, { estimator: "low-rank", rank: 1 })],
        "Activations per example reach the highest",
      );
    expect(best([0.8], [0.9])).toMatchObject({ holds: false, reason: { fault: "sample" } });
    expect(best([0.8, 0.81, 0.8], [0.9, 0.9, 0.91])).toMatchObject({
      ...{
        holds: false,
        reason: { fault: "ours", why: expect.stringContaining("others are ahead (mlp with low-rank)") },
      },
    });
  });
});

describe("the report", () => {
  it("averages the points, and draws the frontier of forward estimators alone", () => {
    const rows = [
      ...quality([1, 1], { estimator: "exact", sampler: undefined, aggregator: undefined, k: 0, units: 2 }),
      ...quality([0.2, 0.4], { k: 4, units: 3 }),
      ...quality([0.6, 0.6], { k: 4, units: 3, point: "end" }),
      ...quality([0.1, 0.1], { estimator: "dense", units: 4 }),
    ];
    const results = resultsOf(rows);
    const cells = qualityCells(results, "mlp", "units");
    expect(cells.map(({ value }) => value)).toEqual([1, expect.closeTo(0.45, 12), expect.closeTo(0.1, 12)]);
    const [chart] = frontierCharts(results);
    const drawn = chart?.spec(700) as { data: { values: readonly Row[] } } | undefined;
    const line = drawn?.data.values.filter(({ kind }) => kind === "expected");
    expect(line).toEqual([expect.objectContaining({ x: 3, y: 0.45, series: "frontier" })]);
    const [table] = frontierTables({ ...results, settings: { ...settings, points: ["start", "end"] } });
    expect(table?.rows.map(([name, , , cheapest]) => [name, cheapest])).toEqual([
      ["activations, k = 4, gaussian, projection", "units, ms, bytes"],
      ["exact gradient", "–"],
    ]);
    expect(table?.rows[0]?.slice(1, 3)).toEqual(["0.3, 0.6", "0, 1"]);
  });

  it("takes the median of an even number of times between the two in the middle", () => {
    expect(median([5, 1, 9])).toBe(5);
    expect(median([9, 1, 5, 2])).toBe(3.5);
  });
});

describe("cells", () => {
  it("leave out what makes no sense, and have keys of their own", () => {
    const cells = cellsOf("mlp", {
      estimators: ["activations", "dense", "low-rank"],
      samplers: ["gaussian", "sphere", "orthonormal"],
      ranks: [1, 4],
      counts: [4, 64],
    });
    expect(cells.map(cellKey)).toEqual([
      "model=mlp/estimator=exact",
      "model=mlp/estimator=activations/sampler=gaussian/k=4",
      "model=mlp/estimator=activations/sampler=gaussian/k=64",
      "model=mlp/estimator=activations/sampler=sphere/k=4",
      "model=mlp/estimator=activations/sampler=sphere/k=64",
      "model=mlp/estimator=activations/sampler=orthonormal/k=4",
      "model=mlp/estimator=dense/sampler=gaussian/k=4",
      "model=mlp/estimator=dense/sampler=gaussian/k=64",
      "model=mlp/estimator=dense/sampler=sphere/k=4",
      "model=mlp/estimator=dense/sampler=sphere/k=64",
      "model=mlp/estimator=low-rank/sampler=gaussian/rank=1/k=4",
      "model=mlp/estimator=low-rank/sampler=gaussian/rank=1/k=64",
      "model=mlp/estimator=low-rank/sampler=gaussian/rank=4/k=4",
      "model=mlp/estimator=low-rank/sampler=gaussian/rank=4/k=64",
    ]);
    const combined = (index: number) =>
      aggregatorsOf(cells[index] ?? { model: "mlp", estimator: "exact", k: 0 }, ["max"]);
    expect([combined(0), combined(1), combined(5)]).toEqual([[undefined], ["max"], ["mean"]]);
  });
});
