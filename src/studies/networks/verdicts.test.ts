import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Row } from "../study.ts";
import { networkTables, summarizeNetworks } from "./summary.ts";
import { networkVerdicts } from "./verdicts.ts";

/** Made-up runs: accuracies by seed. */
function runsOf(
  network: string,
  gradient: string,
  k: number,
  accuracies: readonly number[],
  changes: Row = {},
): readonly Row[] {
  return accuracies.map((accuracy, seed) => ({
    ...{ kind: "run", path: "paper", network, dataset: "mnist", gradient, k, seed, learning_rate: 0.1 },
    ...{
      test_accuracy: accuracy,
      last_test_accuracy: accuracy - 0.01,
      epochs: 5,
      seconds: 2,
      ending: "epochs",
    },
    ...changes,
  }));
}

const paperSize = { epochs: 200, steps: 0, subset: 0, seeds: 3 };

describe("verdicts", () => {
  const holds = (rows: readonly Row[], start: string) =>
    networkVerdicts(rows, paperSize).find(({ statement }) => statement.startsWith(start))?.holds;

  it.each<[string, number[], number[], boolean | undefined]>([
    ["clearly better", [0.8, 0.81, 0.82], [0.9, 0.912, 0.923], true],
    ["clearly worse", [0.9, 0.91, 0.92], [0.8, 0.811, 0.822], false],
    ["better by less than the seeds differ", [0.8, 0.81, 0.82], [0.9, 0.8, 0.81], undefined],
    ["from one seed", [0.8], [0.9], undefined],
  ])("of more tangents that are %s", (_, few, many, expected) => {
    const rows = [...runsOf("vit", "mean", 1, few), ...runsOf("vit", "mean", 16, many)];
    expect(holds(rows, "More tangents")).toBe(expected);
  });

  it.each<[string, number[], boolean | undefined]>([
    ["as good", [0.8, 0.81, 0.82], true],
    ["a little worse", [0.797, 0.808, 0.817], true],
    ["clearly worse", [0.78, 0.79, 0.801], false],
    ["uncertain", [0.83, 0.78, 0.82], undefined],
    ["from one seed", [0.8], undefined],
  ])("of a projection that is %s", (_, projection, expected) => {
    const rows = [
      ...runsOf("vit", "mean", 4, [0.8, 0.81, 0.82]),
      ...runsOf("vit", "projection", 4, projection),
    ];
    expect(holds(rows, "Projection")).toBe(expected);
    expect(holds(rows, "More tangents")).toBe(undefined);
  });

  it.each<[string, number[], boolean | undefined]>([
    ["grows", [0.7, 0.71, 0.723], true],
    ["shrinks", [0.95, 0.961, 0.969], false],
    ["is the same", [0.9, 0.911, 0.919], undefined],
  ])("of a gap that %s", (_, wide, expected) => {
    const narrow = [
      ...runsOf("fc-256", "exact", 0, [0.97, 0.98, 0.975]),
      ...runsOf("fc-256", "mean", 4, [0.9, 0.91, 0.92]),
    ];
    const exact = runsOf("fc-4096", "exact", 0, [0.97, 0.98, 0.975]);
    const rows = [...narrow, ...exact, ...runsOf("fc-4096", "mean", 4, wide)];
    expect(holds(rows, "The gap")).toBe(expected);
    expect(holds(narrow, "The gap")).toBe(undefined);
  });

  it("do not change where all runs of a seed are better or worse by the same", () => {
    const share = fc.integer({ min: 0, max: 512 }).map((value) => value / 1024);
    const shares = fc.array(share, { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(fc.array(shares, { minLength: 6, maxLength: 6 }), shares, (accuracies, shifts) => {
        const cells = ["fc-256", "fc-1024"].flatMap((network) =>
          (["exact", "mean", "projection"] as const).map((gradient) => ({ network, gradient })),
        );
        const all = (shifted: boolean) =>
          cells.flatMap(({ network, gradient }, index) =>
            runsOf(
              network,
              gradient,
              gradient === "exact" ? 0 : 2,
              (accuracies[index] ?? []).map((value, seed) => value + (shifted ? (shifts[seed] ?? 0) : 0)),
            ),
          );
        expect(networkVerdicts(all(true), paperSize)).toEqual(networkVerdicts(all(false), paperSize));
      }),
    );
  });

  it.each([
    ["paper", paperSize, "paper", "at the authors' own size (200 epochs on all images with 3 seeds)"],
    [
      "paper",
      { ...paperSize, epochs: 10, subset: 8000 },
      "sample",
      "these are 10 epochs on 8,000 images with 3 seeds",
    ],
    ["ours", paperSize, "ours", "with our default learning rates"],
    [
      "ours",
      { ...paperSize, steps: 50, seeds: 1 },
      "sample",
      "all images and 50 steps at most with one seed",
    ],
  ] as const)("that do not hold with the path '%s' say whose doing it is", (path, size, fault, why) => {
    const rows = [
      ...runsOf("vit", "mean", 1, [0.9, 0.91, 0.92], { path }),
      ...runsOf("vit", "mean", 16, [0.8, 0.811, 0.822], { path }),
    ];
    const [verdict] = networkVerdicts(rows, size);
    expect(verdict).toMatchObject({ holds: false, reason: { fault, why: expect.stringContaining(why) } });
    expect(verdict?.evidence).toMatch(
      /the contrary in 1; a test of all of them at once gives chance 0\.\d+ %/,
    );
  });

  it("are open where one of many differences points the other way, as chance lets it", () => {
    const rows = [1, 2, 4, 16].flatMap((_, index) => [
      ...runsOf(`net-${index}`, "mean", 1, [0.8, 0.81, 0.82]),
      ...runsOf(`net-${index}`, "mean", 16, index === 0 ? [0.77, 0.79, 0.79] : [0.9, 0.912, 0.923]),
    ]);
    const verdict = networkVerdicts(rows, paperSize)[0];
    expect(verdict).toMatchObject({ holds: undefined, reason: { fault: "sample" } });
    expect(verdict?.evidence).toContain(
      "in 3 and the contrary in 1; a test of all of them at once gives chance",
    );
  });

  it("name the runs that diverged", () => {
    const rows = [
      ...runsOf("vit", "mean", 4, [0.5, 0.6]),
      ...runsOf("vit", "projection", 4, [0.1], { ending: "diverged", path: "ours" }),
    ];
    const verdict = networkVerdicts(rows, paperSize).at(-1);
    expect(verdict).toMatchObject({ holds: false });
    expect(verdict?.evidence).toBe(
      "1 of 3 diverge, and count with what they reached before: vit on mnist, projection, k = 4 (ours).",
    );
  });
});

describe("summary", () => {
  it("has mean, deviation and 95 % half-width over the seeds", () => {
    const rows = [
      ...runsOf("vit", "mean", 4, [0.8, 0.82, 0.84]),
      ...runsOf("vit", "mean", 16, [0.9], { ending: "diverged" }),
    ];
    const [first, second] = summarizeNetworks([...rows, { ...rows[0], kind: "curve" }]);
    expect(first).toMatchObject({ k: 4, seeds: 3, seconds: 6, diverged: 0, epochs_mean: 5 });
    expect(first?.test_accuracy_mean).toBeCloseTo(0.82, 12);
    expect(first?.test_accuracy_sd).toBeCloseTo(0.02, 12);
    // Student's t of two degrees of freedom.
    expect(first?.test_accuracy_ci95).toBeCloseTo((4.302653 * 0.02) / Math.sqrt(3), 9);
    expect(first?.last_test_accuracy_mean).toBeCloseTo(0.81, 12);
    expect(second).toMatchObject({ k: 16, seeds: 1, diverged: 1, test_accuracy_ci95: undefined });
    const [table] = networkTables([first as Row, second as Row]);
    expect(table?.header).toEqual(["network", "data", "mean 4", "mean 16"]);
    expect(table?.rows).toEqual([["vit", "mnist", "82.0 ± 5.0", "90.0 (1 of 1 diverged)"]]);
  });
});
