import { SettingError } from "../errors/errors.ts";
import { logGammaHalfStep } from "../linalg/log-gamma.ts";

/**
 * The expected cosine between a gradient and its projection on the span of k isotropic tangents in n dimensions:
 * E[cos] = Γ((k+1)/2) Γ(n/2) / (Γ(k/2) Γ((n+1)/2)), about √(k/n), and 1 when k ≥ n.
 *
 * The squared cosine is Beta(k/2, (n−k)/2) distributed: the share of a random direction in k of its n coordinates.
 *
 * @param n dimension, a whole number from 1
 * @param k number of tangents, a whole number from 1
 * @throws when n or k is no such number
 */
export function expectedProjectionCosine(n: number, k: number): number {
  if (!Number.isSafeInteger(n) || !Number.isSafeInteger(k) || n < 1 || k < 1) {
    throw new SettingError(
      `The expected cosine needs a dimension n and a number of tangents k, whole numbers from 1; received ${n} and ${k}.`,
      { option: "k" },
    );
  }
  return k >= n ? 1 : Math.exp(logGammaHalfStep(k / 2) - logGammaHalfStep(n / 2));
}
