/** What an estimator remembers between steps, and what it leaves where its runtime computes. */
import type { Tensors } from "../runtime/runtime.ts";

/** What an estimator remembers from step to step: plain arrays by name, which checkpoints hold. */
export type EstimatorState = Readonly<Record<string, Float32Array | Float64Array | Int32Array>>;

/** A copy, which stays when the original is written. */
export function copyState(state: EstimatorState): EstimatorState {
  return Object.fromEntries(Object.entries(state).map(([name, data]) => [name, data.slice()]));
}

/** What an estimator leaves where its runtime computes. */
export interface HeldEstimate {
  /** Held tensors by parameter, in its shape [...]; each estimate writes them anew. */
  readonly gradients: Tensors;
  /** Held tensors by name, in the place of arrays of its state, which it neither reads nor writes: whoever asks for estimates fills them. */
  readonly memory: Tensors;
}
