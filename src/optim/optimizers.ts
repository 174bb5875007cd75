import { adam } from "./adam.ts";
import { adamw } from "./adamw.ts";
import type { Optimizer, OptimizerOptions } from "./optimizer.ts";
import { sgd } from "./sgd.ts";

const list = { sgd, adam, adamw };

/** Name of an optimizer in `optimizers`. */
export type OptimizerName = keyof typeof list;

/** The optimizers by name. */
export const optimizers: Readonly<Record<OptimizerName, (options?: OptimizerOptions) => Optimizer>> = list;
