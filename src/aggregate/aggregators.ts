import type { Aggregator } from "./aggregator.ts";
import { mean } from "./mean.ts";
import { projection } from "./projection.ts";
import { sum } from "./sum.ts";

const list = { mean, sum, projection: projection() };

export type AggregatorName = keyof typeof list;

/** The aggregators by name. */
export const aggregators: Readonly<Record<AggregatorName, Aggregator>> = list;
