/** What an evaluation counts beside loss and accuracy: who is taken for whom, and how far values are off. */

import { SettingError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import type { Loss } from "../../losses/loss.ts";
import { type ClassificationMetrics, classificationMetrics } from "../../metrics/classification.ts";
import { areEntities, type EntityMetrics, EntityTally } from "../../metrics/entities.ts";
import { type RegressionMetrics, RegressionTally } from "../../metrics/regression.ts";
import { type RetrievalMetrics, RetrievalTally } from "../../metrics/retrieval.ts";
import { rocAuc } from "../../metrics/roc-auc.ts";
import { knownData } from "../../objective/model-data.ts";
import type { Model } from "../../onnx/read-model.ts";
import { elementCount, type Tensor, toNumbers } from "../../onnx/tensor.ts";

/** Scores of one evaluation; what its targets have no use for is left out. */
export interface Scores {
  /** Of classes, up to 1,000: what the accuracy does not show. */
  readonly classification?: ClassificationMetrics & {
    /** [classes, classes], row-major: how many labels of the row's class were taken for the column's. */
    readonly confusion: readonly number[];
    /** Of two classes: the area under the receiver operating characteristic; undefined where one has no examples. */
    readonly rocAuc?: number;
  };
  /** Of values, in the units of the targets. */
  readonly regression?: RegressionMetrics;
  /** Of labels of words that are those of entities (B-PER, I-PER, O): of whole entities. */
  readonly entities?: EntityMetrics;
  /** Of embeddings that lie in pairs: how well first halves find their second halves among all of them. */
  readonly retrieval?: RetrievalMetrics;
  /** Of next tokens: e to the mean loss. */
  readonly perplexity?: number;
}

/** Gathers scores batch by batch. */
export interface ScoreTally {
  /** Adds a label of a class, as `eachPosition` goes through them; one that is no class is left out. */
  addClass?(label: number, best: number, logit: (index: number) => number): void;
  /** Adds the first `count` examples of a batch of values. */
  addValues?(prediction: Tensor, targets: BigInt64Array | Float32Array, count: number): void;
  /** The scores of all that was added, whose mean loss is known. */
  scores(loss: number): Scores;
}

/** A matrix of more classes than this is nothing that anybody looks at. */
const mostClasses = 1000;

/** The tally of so many classes, or undefined of too many. */
function classTally(classes: number): ScoreTally | undefined {
  if (classes > mostClasses) return undefined;
  const confusion = new Float64Array(classes * classes);
  const margins: number[] = [];
  const isSecond: number[] = [];
  return {
    addClass(label, best, logit) {
      if (!(label >= 0 && label < classes)) return;
      confusion[label * classes + best] = (confusion[label * classes + best] ?? 0) + 1;
      if (classes !== 2) return;
      margins.push(logit(1) - logit(0));
      isSecond.push(label);
    },
    scores() {
      const area = classes === 2 ? rocAuc(margins, isSecond) : undefined;
      const metrics = { ...classificationMetrics(confusion), confusion: [...confusion] };
      return { classification: area === undefined ? metrics : { ...metrics, rocAuc: area } };
    },
  };
}

/** The tally of predictions of values, of the targets' shape [batch, …]. */
function valueTally(shape: readonly number[]): ScoreTally {
  const tally = new RegressionTally(elementCount(shape.slice(1)));
  return {
    addValues: (prediction, targets, count) =>
      tally.add(toNumbers(prediction), targets as Float32Array, count),
    scores: () => ({ regression: tally.metrics() }),
  };
}

/** The tally of embeddings of pairs, [batch, numbers]. */
function pairTally(): ScoreTally {
  const tally = new RetrievalTally();
  return {
    addValues: (embeddings, _, count) =>
      tally.add(toNumbers(embeddings), embeddings.shape[1] as number, count),
    scores: () => ({ retrieval: tally.metrics() }),
  };
}

/** A tally of sentences, whose words have labels that name entities. @param positions of one sentence */
function entityTally(
  names: readonly string[],
  positions: number,
  classes: ScoreTally | undefined,
): ScoreTally {
  const entities = new EntityTally();
  const [truth, taken]: [string[], string[]] = [[], []];
  let position = 0;
  return {
    addClass(label, best, logit) {
      classes?.addClass?.(label, best, logit);
      const [own, other] = [names[label], names[best]];
      if (own !== undefined && other !== undefined) {
        truth.push(own);
        taken.push(other);
      }
      position++;
      if (position % positions > 0) return;
      entities.add(truth, taken);
      truth.length = 0;
      taken.length = 0;
    },
    scores: (loss) => ({ ...classes?.scores(loss), entities: entities.metrics() }),
  };
}

/** The tally that fits the targets of a loss: class numbers, pairs, or values of which any may be; undefined: none. */
export function openTally(
  loss: Loss,
  shape: readonly number[],
  axis: number | undefined,
  model: Model,
): ScoreTally | undefined {
  if (axis !== undefined) {
    const { classNames = [], texts } = knownData(model);
    if (texts?.kind === "next-token") return { scores: (mean) => ({ perplexity: Math.exp(mean) }) };
    const classes = classTally(shape[axis] ?? 0);
    const [batch = 1] = shape;
    const positions = elementCount(shape) / batch / (shape[axis] ?? 1);
    return texts?.kind === "conll" && areEntities(classNames)
      ? entityTally(classNames, positions, classes)
      : classes;
  }
  if (loss.together === 2) return pairTally();
  return loss.range || loss.together ? undefined : valueTally(shape);
}

/** What an evaluation has of numbers. */
interface Scored extends Scores {
  readonly loss: number;
  readonly accuracy: number | undefined;
}

/** Metrics where the smaller one is better. */
const errors: readonly string[] = ["loss", "meanAbsoluteError", "rootMeanSquaredError", "perplexity"];

/** An evaluation's metrics by name: single numbers, as far as they are defined. */
export function metricsOf(scored: Scored): Record<string, number> {
  const { loss, accuracy, classification, regression, entities, retrieval, perplexity } = scored;
  const { macroF1, balancedAccuracy, rocAuc: area } = classification ?? {};
  const ofEntities = entities && {
    entityPrecision: entities.precision,
    entityRecall: entities.recall,
    entityF1: entities.f1,
  };
  const ofPairs = retrieval && {
    retrievalAccuracy: retrieval.accuracy,
    meanReciprocalRank: retrieval.meanReciprocalRank,
  };
  const ofClasses = { macroF1, balancedAccuracy, rocAuc: area };
  const all = { loss, accuracy, ...ofClasses, ...regression, ...ofEntities, ...ofPairs, perplexity };
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, number] => entry[1] !== undefined),
  );
}

/**
 * What early stopping sees of an evaluation, the smaller the better: a metric by name, or what a function makes of it.
 *
 * @throws SettingError for a metric that such examples do not have
 */
export function watchedOf<Given extends Scored>(
  evaluation: Given,
  on: string | ((evaluation: Given) => number),
): number {
  if (typeof on === "function") return -on(evaluation);
  const metrics = metricsOf(evaluation);
  const value = metrics[on];
  if (value !== undefined) return errors.includes(on) ? value : -value;
  throw new SettingError(
    words`${option("patience.on", on)} is no metric of these validation examples; they have ${Object.keys(metrics).join(", ")}.`,
    { option: "patience.on" },
  );
}
