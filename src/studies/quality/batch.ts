/** Measures a batch of estimates against the gradient that they estimate. */
import { fillNormal } from "../../random/normal.ts";
import { sampleStreams } from "../../random/streams.ts";
import { fold, type Key } from "../../random/threefry.ts";
import type { Sampler } from "../../tangents/sampler.ts";
import { createTangentSet, drawTangents } from "../../tangents/tangent-set.ts";
import { groupBy, type Moments, moments, numberIn, pool, standardError, summaryOf } from "../statistics.ts";
import type { Column, Environment, Row } from "../study.ts";
import { expectedGain } from "./expected.ts";
import { nestedProjections } from "./nested-projections.ts";
import { type Combination, derivativesOf, type PrefixQuality, prefixQualities } from "./prefixes.ts";
import { rowProducts } from "./row-products.ts";

/** The gradients that are estimated: all ones, or standard normal and drawn anew for each sample. */
export type GradientKind = "ones" | "random";

/** Settings of the study `quality`. */
export type QualitySettings = {
  dimensions: number[];
  tangents: number[];
  gradients: GradientKind[];
  samples: number;
  largeFrom: number;
  largeSamples: number;
  moreSamples: number;
  moreDimension: number;
  moreTangents: number;
  batch: number;
  seed: number;
};

/** Draws of one batch. */
export interface Batch {
  /** n */
  readonly dimension: number;
  /** The numbers of tangents; the largest is drawn, the others are its first ones. */
  readonly counts: readonly number[];
  readonly sampler: Sampler;
  /** Parent of the samples' keys. */
  readonly key: Key;
  /** Number of its first sample. */
  readonly first: number;
  readonly samples: number;
  readonly batch: number;
  readonly gradients: readonly GradientKind[];
  readonly combinations: readonly Combination[];
}

const cellColumns: readonly Column[] = [
  { name: "n", kind: "number", description: "dimension of the gradient" },
  { name: "k", kind: "number", description: "number of tangents" },
  { name: "gradient", kind: "text", description: "ones, or random (standard normal, new for each sample)" },
  { name: "aggregation", kind: "text", description: "how the tangents are combined" },
  { name: "tangents", kind: "text", description: "gaussian (lengths as drawn) or normalized (length 1)" },
];

/** Columns of results.csv that `measureBatch` fills: one row a cell and batch. */
export const qualityColumns: readonly Column[] = [
  ...cellColumns,
  {
    name: "batch",
    kind: "number",
    description: "number of the batch: that of its first sample divided by the setting batch",
  },
  { name: "samples", kind: "number", description: "samples in the batch" },
  {
    name: "cosine_mean",
    kind: "number",
    description: "mean cosine of the angle between estimate and gradient",
  },
  { name: "cosine_sd", kind: "number", description: "standard deviation of one sample's cosine" },
  { name: "norm_ratio_mean", kind: "number", description: "mean of ‖ĝ‖/‖∇f‖" },
  { name: "norm_ratio_sd", kind: "number", description: "standard deviation of one sample's ‖ĝ‖/‖∇f‖" },
  {
    name: "along_mean",
    kind: "number",
    description: "mean of ĝ·∇f/‖∇f‖², with ĝ divided by its gain: 1 without bias",
  },
  { name: "along_sd", kind: "number", description: "standard deviation of one sample's" },
  { name: "error_mean", kind: "number", description: "mean of ‖ĝ − ∇f‖²/‖∇f‖², with ĝ divided by its gain" },
  { name: "error_sd", kind: "number", description: "standard deviation of one sample's" },
];

/** Columns of summary.csv that `summarizeQuality` fills: one row a cell. */
export const summaryQualityColumns: readonly Column[] = [
  ...cellColumns,
  { name: "samples", kind: "number", description: "samples in all" },
  ...[
    ["cosine", "cosine of the angle between estimate and gradient"],
    ["norm_ratio", "‖ĝ‖/‖∇f‖"],
  ].flatMap(([name, what]): Column[] => [
    { name: `${name}_mean`, kind: "number", description: `mean of the ${what}` },
    { name: `${name}_sd`, kind: "number", description: "standard deviation of one sample" },
    {
      name: `${name}_ci95`,
      kind: "number",
      description: "half-width of the 95 % interval of the mean",
      optional: true,
    },
  ]),
  ...[
    ["bias_squared", "bias² over ‖∇f‖², of ĝ divided by its gain, measured without bias: may be below 0"],
    ["variance", "variance over ‖∇f‖², of ĝ divided by its gain"],
  ].flatMap(([name = "", what = ""]): Column[] => [
    { name, kind: "number", description: what },
    { name: `${name}_error`, kind: "number", description: "its standard error" },
  ]),
];

/** Measures a batch of samples, or returns undefined when stopped. */
export async function measureBatch(
  environment: Environment,
  batch: Batch,
): Promise<readonly Row[] | undefined> {
  const { dimension, counts, samples, gradients } = batch;
  const most = Math.max(...counts);
  const products = await rowProducts(environment.runtime, dimension, most);
  const projections = nestedProjections(environment.runtime, most, dimension);
  const set = createTangentSet([{ name: "x", shape: [dimension] }], most, batch.sampler);
  const rows = (set.parts[0] as (typeof set.parts)[0]).tensor.data;
  const found: PrefixQuality[][][] = gradients.map(() => []);
  let breath = performance.now();
  try {
    for (let sample = 0; sample < samples; sample++) {
      // Lets the host see signals.
      if (performance.now() - breath > 100) {
        await new Promise((next) => setTimeout(next));
        breath = performance.now();
      }
      if (environment.signal.aborted) return undefined;
      const key = fold(batch.key, batch.first + sample);
      drawTangents(set, fold(key, sampleStreams.tangents));
      const targets = gradients.map((kind) => gradientOf(kind, dimension, fold(key, sampleStreams.gradient)));
      const derivatives = targets.map((gradient) => derivativesOf(rows, gradient, most));
      const lengths = targets.map((gradient) =>
        Math.sqrt(gradient.reduce((sum, value) => sum + value * value, 0)),
      );
      const gram = await products.gram(rows);
      const projected = await projections.squares(gram, derivatives);
      const qualities = prefixQualities(gram, projected, derivatives, lengths, counts);
      for (const [index, quality] of qualities.entries()) found[index]?.push([...quality]);
      environment.advance((sample + 1) / samples);
    }
  } finally {
    await products.release();
    await projections.release();
  }
  return gradients.flatMap((gradient, index) => rowsOf(batch, gradient, found[index] ?? []));
}

function gradientOf(kind: GradientKind, dimension: number, key: Key): Float64Array {
  if (kind === "ones") return new Float64Array(dimension).fill(1);
  const numbers = new Float32Array(dimension);
  fillNormal(key, 0, numbers);
  return Float64Array.from(numbers);
}

/** One row a combination and k; `found` holds the qualities of each sample in the same order. */
function rowsOf(
  batch: Batch,
  gradient: GradientKind,
  found: readonly (readonly PrefixQuality[])[],
): readonly Row[] {
  const isWanted = ({ aggregation, lengths }: Combination) =>
    batch.combinations.some((wanted) => wanted.aggregation === aggregation && wanted.lengths === lengths);
  return (found[0] ?? []).flatMap((cell, index) => {
    if (!isWanted(cell)) return [];
    const values = found.map((qualities) => qualities[index] as PrefixQuality);
    const cosine = moments(values.map((value) => value.cosine));
    const normRatio = moments(values.map((value) => value.normRatio));
    const gain = expectedGain(batch.dimension, cell.k, cell);
    const along = moments(values.map((value) => (value.cosine * value.normRatio) / gain));
    // ‖ĝ/gain − ∇f‖² = ‖ĝ/gain‖² − 2 ĝ·∇f/gain + ‖∇f‖²
    const error = moments(
      values.map((value) => (value.normRatio / gain) ** 2 - (2 * value.cosine * value.normRatio) / gain + 1),
    );
    return [
      {
        n: batch.dimension,
        k: cell.k,
        gradient,
        aggregation: cell.aggregation,
        tangents: cell.lengths === "unit" ? "normalized" : "gaussian",
        batch: batch.batch,
        samples: values.length,
        cosine_mean: cosine.mean,
        cosine_sd: cosine.deviation,
        norm_ratio_mean: normRatio.mean,
        norm_ratio_sd: normRatio.deviation,
        along_mean: along.mean,
        along_sd: along.deviation,
        error_mean: error.mean,
        error_sd: error.deviation,
      },
    ];
  });
}

/** Pools the batches of each cell. */
export function summarizeQuality(rows: readonly Row[], by: readonly string[] = []): readonly Row[] {
  const names = [...by, ...cellColumns.map(({ name }) => name)];
  return groupBy(rows, names).map((group) => {
    const first = group[0] as Row;
    const pooled = (value: string) => pool(group.map((row) => momentsIn(row, value)));
    return {
      ...Object.fromEntries(names.map((name) => [name, first[name]])),
      samples: pooled("cosine").count,
      ...summaryOf("cosine", pooled("cosine")),
      ...summaryOf("norm_ratio", pooled("norm_ratio")),
      ...biasAndVariance(pooled("along"), pooled("error")),
    };
  });
}

/**
 * Tangents here have no preferred direction, so a bias can only be along ∇f: bias² = (E a − 1)² with a = ĝ·∇f/‖∇f‖², which
 * (ā − 1)² overstates by the variance of ā. The rest of the error is variance.
 */
function biasAndVariance(along: Moments, error: Moments): Row {
  const square = standardError(along) ** 2;
  const bias = (along.mean - 1) ** 2 - square;
  // Of (ā − 1)² for a normal ā.
  const biasError = Math.sqrt(2 * square ** 2 + 4 * square * Math.max(0, bias));
  return {
    bias_squared: bias,
    bias_squared_error: biasError,
    variance: error.mean - bias,
    // 2P − I, the error of a projection at k = n/2, is a reflection, whose length is known: then bias² alone leaves any.
    variance_error: Math.hypot(standardError(error), biasError),
  };
}

/** The moments that a row of either file tells. */
export function momentsIn(row: Row, value: string): Moments {
  return {
    count: numberIn(row, "samples"),
    mean: numberIn(row, `${value}_mean`),
    deviation: numberIn(row, `${value}_sd`),
  };
}
