/** Whether estimates are right on average, and vary as theory says. */
import { agreementOf } from "../reference.ts";
import { numberIn } from "../statistics.ts";
import type { Reason, Results, Row, Verdict } from "../study.ts";
import { undecided, verdictOf } from "../verdict.ts";
import type { QualitySettings } from "./batch.ts";
import { expectedVariance } from "./expected.ts";

/** (z² − 1)/√(4z² − 2) of a mean that is z = 7 of its own standard errors off. */
const allowedBias = 3.5;

/**
 * At their known gain, all ways to combine tangents have no bias, and the variance of the closed form.
 *
 * @param proven why a theorem can fail here
 */
export function unbiased({ summary }: Results<QualitySettings>, proven: Reason): Verdict {
  const statement = "At their known gain, estimates have no bias, and the variance of the closed form";
  if (summary.every((row) => row.variance === undefined))
    return undecided(statement, "this run did not measure bias² and variance");
  const bias = Math.max(
    ...summary.map((row) => numberIn(row, "bias_squared") / (numberIn(row, "bias_squared_error") || 1)),
  );
  const variance = agreementOf(summary.map((row) => [varianceIn(row), varianceOf(row)]));
  return verdictOf({
    statement,
    holds: bias < allowedBias && variance.holds,
    reason: proven,
    evidence:
      `of ${summary.length} cells, the largest bias² is ${bias.toFixed(1)} standard errors above 0 (${allowedBias} are allowed), and ` +
      `the variance that is farthest from the closed form ${variance.worst.toFixed(1)}; ${variance.test}.`,
  });
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
