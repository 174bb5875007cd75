/** Scores as parts of a page. */
import { matrixHtml } from "../charts/page.ts";
import type { Judgement } from "./judgement.ts";

/** "97.20 %"; undefined where there is no number. */
export function percent(share: number | undefined): string | undefined {
  return share === undefined ? undefined : `${(100 * share).toFixed(2)} %`;
}

/** Four digits; "–" where there is no number. */
export function number(value: number | undefined): string {
  return value === undefined || !Number.isFinite(value) ? "–" : String(Number(value.toPrecision(4)));
}

/** The scores of a judgement, each with its name. */
export function scoreRows(judgement: Judgement): [string, string][] {
  const { loss, accuracy, classification, regression, entities, retrieval, perplexity } = judgement;
  const rows: readonly (readonly [string, string | undefined])[] = [
    ["loss", number(loss)],
    ["accuracy", percent(accuracy)],
    ["perplexity", perplexity === undefined ? undefined : number(perplexity)],
    ["retrieval accuracy", percent(retrieval?.accuracy)],
    ["mean reciprocal rank", retrieval && number(retrieval.meanReciprocalRank)],
    ["entity F1", percent(entities?.f1)],
    ["entity precision", percent(entities?.precision)],
    ["entity recall", percent(entities?.recall)],
    ["macro F1", percent(classification?.macroF1)],
    ["balanced accuracy", percent(classification?.balancedAccuracy)],
    [
      "area under the ROC curve",
      classification?.rocAuc === undefined ? undefined : number(classification.rocAuc),
    ],
    ["mean absolute error", regression && number(regression.meanAbsoluteError)],
    ["root mean squared error", regression && number(regression.rootMeanSquaredError)],
    ["R²", regression && number(regression.r2)],
  ];
  return rows.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as [string, string]]));
}

/** A matrix of more classes is too wide for a page. */
const mostClasses = 25;

/** A confusion matrix, as far as a page is wide enough. */
export function matrixOf(confusion: readonly number[], names: readonly string[] | undefined): string {
  const classes = Math.round(Math.sqrt(confusion.length));
  if (classes > mostClasses)
    return `<p class="quiet">${classes} classes are too many for a matrix; report.json has the counts.</p>`;
  const all = Array.from({ length: classes }, (_, index) => names?.[index] ?? String(index));
  return matrixHtml(confusion, all);
}
