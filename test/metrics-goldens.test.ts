import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { classificationMetrics } from "../src/metrics/classification.ts";
import { RegressionTally } from "../src/metrics/regression.ts";
import { rocAuc } from "../src/metrics/roc-auc.ts";
import { readGolden } from "./golden.ts";

interface Golden {
  readonly classification: {
    readonly labels: number[];
    readonly taken: number[];
    readonly classes: number;
    readonly accuracy: number;
    readonly microF1: number;
    readonly balancedAccuracy: number;
    readonly macroF1: number;
    readonly precision: (number | null)[];
    readonly recall: (number | null)[];
    readonly f1: (number | null)[];
    readonly support: number[];
  }[];
  readonly auc: { readonly labels: number[]; readonly scores: number[]; readonly auc: number }[];
  readonly regression: {
    readonly size: number;
    readonly targets: number[];
    readonly predictions: number[];
    readonly meanAbsoluteError: number;
    readonly rootMeanSquaredError: number;
    readonly r2: number;
  }[];
}

/** Written by goldens/metrics.py. */
const golden = readGolden<Golden>("metrics.golden.json");

describe("metrics are scikit-learn's", () => {
  for (const [index, each] of golden.classification.entries())
    it(`classification ${index}`, () => {
      const confusion = new Float64Array(each.classes ** 2);
      for (const [place, label] of each.labels.entries()) {
        const at = label * each.classes + (each.taken[place] as number);
        confusion[at] = (confusion[at] as number) + 1;
      }
      const metrics = classificationMetrics(confusion);
      expect(metrics.accuracy).toBeCloseTo(each.accuracy, 12);
      expect(metrics.accuracy).toBeCloseTo(each.microF1, 12);
      expect(metrics.balancedAccuracy).toBeCloseTo(each.balancedAccuracy, 12);
      expect(metrics.macroF1).toBeCloseTo(each.macroF1, 12);
      for (const [number, one] of metrics.classes.entries()) {
        expect(one.support).toBe(each.support[number]);
        for (const name of ["precision", "recall", "f1"] as const) {
          const expected = each[name][number];
          if (typeof expected === "number") expect(one[name], `${name} ${number}`).toBeCloseTo(expected, 12);
          else expect(one[name], `${name} ${number}`).toBeUndefined();
        }
      }
    });

  for (const [index, { labels, scores, auc }] of golden.auc.entries())
    it(`ROC AUC ${index}`, () => {
      expect(rocAuc(scores, labels)).toBeCloseTo(auc, 12);
    });

  for (const [index, each] of golden.regression.entries())
    it(`regression ${index}, in parts of any size`, () => {
      const tally = new RegressionTally(each.size);
      const count = each.targets.length / each.size;
      for (let start = 0, part = 1; start < count; start += part, part = Math.min(2 * part, count - start))
        tally.add(each.predictions.slice(start * each.size), each.targets.slice(start * each.size), part);
      const metrics = tally.metrics();
      expect(metrics?.meanAbsoluteError).toBeCloseTo(each.meanAbsoluteError, 9);
      expect(metrics?.rootMeanSquaredError).toBeCloseTo(each.rootMeanSquaredError, 9);
      expect(metrics?.r2).toBeCloseTo(each.r2, 8);
    });
});

describe("metrics of odd data", () => {
  it("say nothing where nothing is counted", () => {
    expect(classificationMetrics([0, 0, 0, 0]).accuracy).toBeUndefined();
    expect(rocAuc([1, 2], [1, 1])).toBeUndefined();
    expect(rocAuc([1, Number.NaN], [1, 0])).toBeUndefined();
    expect(new RegressionTally(1).metrics()).toBeUndefined();
    const constant = new RegressionTally(1);
    constant.add([1, 2], [3, 3], 2);
    expect(constant.metrics()).toEqual({
      meanAbsoluteError: 1.5,
      rootMeanSquaredError: Math.sqrt(2.5),
      r2: undefined,
    });
  });

  it("order pairs as counting them one by one does", () => {
    const examples = fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.boolean()), { maxLength: 30 });
    fc.assert(
      fc.property(examples, (given) => {
        const positives = given.filter(([, isPositive]) => isPositive);
        const negatives = given.filter(([, isPositive]) => !isPositive);
        const won = positives.flatMap(([a]) => negatives.map(([b]) => (a > b ? 1 : a === b ? 0.5 : 0)));
        const expected =
          won.length === 0 ? undefined : won.reduce((sum: number, one) => sum + one, 0) / won.length;
        const received = rocAuc(
          given.map(([score]) => score),
          given.map(([, isPositive]) => Number(isPositive)),
        );
        if (expected === undefined) expect(received).toBeUndefined();
        else expect(received).toBeCloseTo(expected, 12);
      }),
    );
  });
});
