/**
 * The names of the inputs and outputs that derived graphs have beside the model's own. They are what graphs, estimators, files
 * and other programs agree on; a model's own values of such names are renamed when it is imported.
 */

/** Whole names. */
export const reserved = {
  /** Output: the loss, a scalar. */
  loss: "loss",
  /** Output: each example's share of the loss, [batch]. */
  losses: "losses",
  /** Output: directional derivatives along k tangents, [k] or [k, batch]. */
  derivatives: "derivatives",
  /** Input: class numbers. */
  labels: "labels",
  /** Input: numbers to be predicted. */
  target: "target",
  /** Input: what tangents are multiplied by, [k] or [k, batch]. */
  coefficients: "coefficients",
  /** Output: products of tangents with each other, [examples, k, k]. */
  gram: "gram",
} as const;

const prefixes = {
  tangent: "tangent/",
  gradient: "gradient/",
  factor: "factor/",
  linear: "linear/",
  gram: "gram/",
  statistics: "statistics/",
  guess: "guess/",
  localHead: "local-head/",
} as const;

/** Input: the tangents of a value, [k, ...shape]. */
export const tangentName = (value: string) => `${prefixes.tangent}${value}`;

/** Input: one factor of the tangents of a parameter, [k, rows, r] or [k, columns, r]. */
export const tangentFactorName = (parameter: string, factor: "left" | "right") =>
  `${tangentName(parameter)}/${factor}`;

/** Output: the gradient of a value, of its shape. */
export const gradientName = (value: string) => `${prefixes.gradient}${value}`;

/** Output: one factor of a gradient that is not multiplied out, [rows, m] or [m, columns], or transposed. */
export const gradientFactorName = (parameter: string, factor: "left" | "right") =>
  `${prefixes.factor}${parameter}/${factor}`;

/** Output: products of the tangents of one parameter with each other, [k, k]. */
export const gramName = (parameter: string) => `${prefixes.gram}${parameter}`;

/** Output: a running statistic after this batch. */
export const statisticsName = (statistic: string) => `${prefixes.statistics}${statistic}`;

/** Inputs and outputs of what a guess foresees, learns and remembers. */
export const guessName = (part: string) => `${prefixes.guess}${part}`;

/** The array of a guess's state for a value or parameter: array names with a `/` are none of another array's with another value. */
export const guessArrayName = (guess: string, array: string, value: string) =>
  guessName(`${guess}/${array.replaceAll("%", "%25").replaceAll("/", "%2F")}/${value}`);

/** Inputs and outputs of local heads: a part of the head that reads a value. */
export const localHeadName = (part: string, value: string) => `${prefixes.localHead}${part}/${value}`;

/** Input that stands for a tangent while the linear part of a graph is transposed, and is gone afterwards: [1, ...shape]. */
export const linearName = (value: string) => `${prefixes.linear}${value}`;

/** The value that a linear input stands for. */
export const linearValue = (name: string) => name.slice(prefixes.linear.length);

const fixed: ReadonlySet<string> = new Set(Object.values(reserved));

/** Whether derived graphs need this name for themselves. */
export function isReserved(name: string): boolean {
  return fixed.has(name) || Object.values(prefixes).some((prefix) => name.startsWith(prefix));
}
