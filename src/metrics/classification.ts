/** What a confusion matrix says of a classifier: shares that do not hide a class that is rare. */

/** Of one class. Shares from 0 to 1; undefined where nothing is counted below the line. */
export interface ClassMetrics {
  /** Of the examples that were taken for this class, the share that are of it. */
  readonly precision: number | undefined;
  /** Of the examples of this class, the share that were found. */
  readonly recall: number | undefined;
  /** 2·found / (examples of the class + examples taken for it): the harmonic mean of precision and recall; 0 where none was found. */
  readonly f1: number | undefined;
  /** Examples of this class. */
  readonly support: number;
}

/** Of all classes together. Shares from 0 to 1. */
export interface ClassificationMetrics {
  /** Share of the examples that are right; with one label for each it is micro F1, micro precision and micro recall, too. */
  readonly accuracy: number | undefined;
  /** Mean recall of the classes that have examples. */
  readonly balancedAccuracy: number | undefined;
  /** Mean F1 of the classes that have examples or were taken for something. */
  readonly macroF1: number | undefined;
  /** By class number. */
  readonly classes: readonly ClassMetrics[];
}

/**
 * Metrics out of counts, as scikit-learn's `classification_report` has them, but for what is undefined, which it counts as 0.
 *
 * @param confusion [classes, classes], row-major: how many examples of the row's class were taken for the column's
 */
export function classificationMetrics(confusion: ArrayLike<number>): ClassificationMetrics {
  const size = Math.round(Math.sqrt(confusion.length));
  const all = Array.from({ length: size }, (_, index) => index);
  const at = (row: number, column: number) => confusion[row * size + column] ?? 0;
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const classes = all.map((index): ClassMetrics => {
    const found = at(index, index);
    const support = sum(all.map((column) => at(index, column)));
    const taken = sum(all.map((row) => at(row, index)));
    return {
      precision: quotient(found, taken),
      recall: quotient(found, support),
      f1: quotient(2 * found, support + taken),
      support,
    };
  });
  const right = sum(all.map((index) => at(index, index)));
  return {
    accuracy: quotient(right, sum(classes.map(({ support }) => support))),
    balancedAccuracy: mean(classes.map(({ recall }) => recall)),
    macroF1: mean(classes.map(({ f1 }) => f1)),
    classes,
  };
}

function quotient(part: number, whole: number): number | undefined {
  return whole === 0 ? undefined : part / whole;
}

function mean(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return quotient(
    known.reduce((total, value) => total + value, 0),
    known.length,
  );
}
