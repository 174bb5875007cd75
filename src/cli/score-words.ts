/** Scores of an evaluation as people read them. */
import type { Scores } from "../train/evaluation/score-tally.ts";
import { textTable } from "./text-table.ts";

/** A table of more classes than this is left to --json. */
const mostRows = 20;
const mostMistakes = 5;

/** Lines on what was measured: for classes a table and the commonest mistakes, for values how far they are off. */
export function scoreLines(scores: Scores, classNames?: readonly string[]): string[] {
  const { classification, regression, entities, retrieval, perplexity } = scores;
  if (perplexity !== undefined) return [`perplexity ${shown(perplexity)}`];
  if (retrieval)
    return [
      `retrieval accuracy ${percent(retrieval.accuracy)}, mean reciprocal rank ${retrieval.meanReciprocalRank.toFixed(4)}`,
    ];
  if (regression) {
    const { meanAbsoluteError, rootMeanSquaredError, r2 } = regression;
    return [
      `mean absolute error ${shown(meanAbsoluteError)}, root mean squared error ${shown(rootMeanSquaredError)}, R² ${
        r2 === undefined ? "–" : r2.toFixed(4)
      }`,
    ];
  }
  if (!classification) return [];
  const { classes, confusion, macroF1, balancedAccuracy, rocAuc } = classification;
  const nameOf = (index: number) => classNames?.[index] ?? String(index);
  const area = rocAuc === undefined ? "" : `, ROC AUC ${rocAuc.toFixed(4)}`;
  const ofEntities = entities && [
    `entity F1 ${percent(entities.f1)}, precision ${percent(entities.precision)}, recall ${percent(entities.recall)}, of ${entities.support.toLocaleString("en")} entities`,
  ];
  const lines = [
    ...(ofEntities ?? []),
    `macro F1 ${percent(macroF1)}, balanced accuracy ${percent(balancedAccuracy)}${area}`,
  ];
  if (classes.length <= mostRows) {
    const rows = classes.map(({ precision, recall, f1, support }, index) => [
      nameOf(index),
      percent(precision),
      percent(recall),
      percent(f1),
      support.toLocaleString("en"),
    ]);
    lines.push(
      ...textTable([["class", "precision", "recall", "F1", "examples"], ...rows], { firstAtLeft: true }),
    );
  }
  const mistakes = Array.from(confusion, (count, position) => ({
    count,
    label: Math.floor(position / classes.length),
    taken: position % classes.length,
  }))
    .filter(({ count, label, taken }) => count > 0 && label !== taken)
    .sort((a, b) => b.count - a.count)
    .slice(0, mostMistakes);
  if (mistakes.length > 0)
    lines.push(
      `most often: ${mistakes
        .map(
          ({ count, label, taken }) =>
            `${nameOf(label)} taken for ${nameOf(taken)} (${count.toLocaleString("en")})`,
        )
        .join(", ")}`,
    );
  return lines;
}

function percent(share: number | undefined): string {
  return share === undefined ? "–" : `${(100 * share).toFixed(2)} %`;
}

function shown(value: number): string {
  return value.toPrecision(5);
}
