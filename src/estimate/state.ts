/** What an estimator remembers between steps. */

/** What an estimator remembers from step to step: plain arrays by name, which checkpoints hold. */
export type EstimatorState = Readonly<Record<string, Float32Array | Float64Array | Int32Array>>;

/** A copy, which stays when the original is written. */
export function copyState(state: EstimatorState): EstimatorState {
  return Object.fromEntries(Object.entries(state).map(([name, data]) => [name, data.slice()]));
}
