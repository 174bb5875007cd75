/** Which of several learning rates counts: the one that validation examples choose. */
import { groupBy, moments, numberIn } from "./statistics.ts";
import type { Row } from "./study.ts";

/**
 * Of the runs of one method at several rates, those at the rate with the best mean validation accuracy, among the rates at
 * which none diverged; none where there is no such rate.
 *
 * @param rate the column that tells the rates apart
 */
export function bestRuns(rows: readonly Row[], rate: string): readonly Row[] {
  const validation = (runs: readonly Row[]) =>
    moments(runs.map((row) => numberIn(row, "validation_accuracy"))).mean;
  return (
    groupBy(rows, [rate])
      .filter((runs) => runs.every(({ accuracy }) => accuracy !== undefined))
      .map((runs) => ({ runs, validation: validation(runs) }))
      .sort((a, b) => b.validation - a.validation)[0]?.runs ?? []
  );
}
