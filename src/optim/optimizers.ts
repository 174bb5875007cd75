import { adam } from "./adam.ts";
import { adamw } from "./adamw.ts";
import { sgd } from "./sgd.ts";

/** The optimizers by name. */
export const optimizers = { sgd, adam, adamw };

/** Name of an optimizer in `optimizers`. */
export type OptimizerName = keyof typeof optimizers;
