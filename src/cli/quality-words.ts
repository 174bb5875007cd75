/** How good estimates are, in words. */
import type { Quality } from "../estimate/quality.ts";

/** A run whose quality was measured. */
type Measured = Partial<Quality> & Pick<Quality, "cosine">;

/** "bias² 0.00 ± 0.01, variance 1.3, cosine 0.770": with a standard error where there are draws enough for one. */
export function describeQuality({ biasSquared, biasSquaredError, variance, cosine }: Measured): string {
  const parts = [
    ...(biasSquared === undefined ? [] : [`bias² ${withError(biasSquared, biasSquaredError)}`]),
    ...(variance === undefined ? [] : [`variance ${twoDigits(variance)}`]),
    `cosine ${cosine.toFixed(3)}`,
  ];
  return parts.join(", ");
}

/** Two digits, at most four decimals, without a power of ten. */
export function twoDigits(value: number): string {
  if (value < 1e-4) return fixed(value, value === 0 ? 0 : 4);
  return value.toLocaleString("en", { maximumSignificantDigits: 2 });
}

/** As many decimals as the error's first digit has, at most four. */
function withError(value: number, error: number | undefined): string {
  if (error === undefined) return fixed(value, 2);
  const decimals = error > 0 ? Math.min(4, Math.max(0, -Math.floor(Math.log10(error)))) : 2;
  return `${fixed(value, decimals)} ± ${fixed(error, decimals)}`;
}

/** Without "-0.00". */
function fixed(value: number, decimals: number): string {
  const rounded = Number(value.toFixed(decimals)) || 0;
  return rounded.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}
