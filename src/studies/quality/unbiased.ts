/** Whether estimates are right on average, and vary as theory says. */
import { agreementOf } from "../reference.ts";
import { falseAlarms, jointTail, jointTestText, studentTail } from "../significance.ts";
import { numberIn } from "../statistics.ts";
import type { Reason, Results, Row, Verdict } from "../study.ts";
import { undecided, verdictOf } from "../verdict.ts";
import type { QualitySettings } from "./batch.ts";
import { expectedVariance } from "./expected.ts";

/** A bias² this small is rounding, where ĝ does not vary. */
const rounding = 1e-12;

/**
 * At their known gain, all ways to combine tangents have no bias, and the variance of the closed form.
 *
 * @param proven why a theorem can fail here
 */
export function unbiased({ summary }: Results<QualitySettings>, proven: Reason): Verdict {
  const statement = "At their known gain, estimates have no bias, and the variance of the closed form";
  if (summary.every((row) => row.variance === undefined))
    return undecided(statement, "this run did not measure bias² and variance");
  const errors = summary.map(errorsOff);
  const chance = jointTail(
    summary.map((row, index) => studentTail(errors[index] ?? 0, numberIn(row, "samples") - 1)),
    "any",
  );
  const variance = agreementOf(summary.map((row) => [varianceIn(row), varianceOf(row)]));
  return verdictOf({
    statement,
    holds: chance >= falseAlarms && variance.holds,
    reason: proven,
    evidence:
      `of ${summary.length} cells, the estimate that is farthest from the gradient on average is so by ${Math.max(...errors).toFixed(1)} ` +
      `standard errors (${jointTestText(chance)}), and the variance that is farthest from the closed form by ${variance.worst.toFixed(1)} ` +
      `(${variance.test}).`,
  });
}

/**
 * How many standard errors ĝ is off on average: z of bias² = s (z² − 1), whose own standard error is s √(4z² − 2), with s the variance of
 * the mean. 1 or fewer, which bias² below 0 tells, are 0 here.
 */
function errorsOff(row: Row): number {
  const bias = numberIn(row, "bias_squared");
  if (bias <= rounding) return 0;
  const ratio = bias / numberIn(row, "bias_squared_error");
  if (ratio === Number.POSITIVE_INFINITY) return ratio;
  const half = 1 + 2 * ratio ** 2;
  return Math.sqrt(half + Math.sqrt(half ** 2 - half));
}

/** The variance as the mean of so many samples. */
function varianceIn(row: Row) {
  const count = numberIn(row, "samples");
  const deviation = numberIn(row, "variance_error") * Math.sqrt(count);
  return { count, mean: numberIn(row, "variance"), deviation };
}

function varianceOf(row: Row) {
  const lengths = row.tangents === "normalized" ? "unit" : "as drawn";
  const aggregation = row.aggregation as "mean" | "sum" | "projection";
  const mean = expectedVariance(numberIn(row, "n"), numberIn(row, "k"), { aggregation, lengths });
  return { count: 1, mean, deviation: 0 };
}
