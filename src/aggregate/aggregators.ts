import { max } from "./max.ts";
import { maxNormalized } from "./max-normalized.ts";
import { mean } from "./mean.ts";
import { meanTimesDimension } from "./mean-times-dimension.ts";
import { nearBest } from "./near-best.ts";
import { projection } from "./projection.ts";
import { sum } from "./sum.ts";

/** The aggregators by name. */
export const aggregators = {
  mean,
  sum,
  projection,
  "mean-times-dimension": meanTimesDimension,
  max,
  "max-normalized": maxNormalized,
  "near-best": nearBest,
};

/** Name of an aggregator in `aggregators`. */
export type AggregatorName = keyof typeof aggregators;
