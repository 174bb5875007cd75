import type { Optimizer } from "./optimizer.ts";
import { sgd } from "./sgd.ts";

/** The optimizers by name. */
export const optimizers = { sgd } satisfies Record<
  string,
  (options?: { readonly momentum?: number }) => Optimizer
>;

export type OptimizerName = keyof typeof optimizers;
