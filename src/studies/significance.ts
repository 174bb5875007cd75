/** Tests with a stated error rate, for verdicts that rest on draws. */
import { incompleteBeta } from "../linalg/incomplete-beta.ts";
import type { Moments } from "./statistics.ts";

/** How often a test of draws may see something where there is nothing. */
export const falseAlarms = 0.01;
/** The same where a claim is judged by a few training runs, which could not show anything more surely. */
export const falseAlarmsOfRuns = 0.05;

/**
 * How often chance puts a mean at least so many of its standard errors off, either way: the two-sided tail of Student's t.
 * @param freedom degrees of freedom, positive
 */
export function studentTail(errors: number, freedom: number): number {
  return errors === Number.POSITIVE_INFINITY
    ? 0
    : incompleteBeta(freedom / (freedom + errors ** 2), freedom / 2, 0.5);
}

/**
 * Degrees of freedom of the difference of two means, after Welch and Satterthwaite; of a mean and a known value, those of the mean.
 */
export function freedomOf(a: Moments, b: Moments): number {
  const variance = ({ count, deviation }: Moments) => deviation ** 2 / count;
  const share = (given: Moments) => (variance(given) === 0 ? 0 : variance(given) ** 2 / (given.count - 1));
  const shares = share(a) + share(b);
  return shares === 0 ? 1 : (variance(a) + variance(b)) ** 2 / shares;
}

/** How often at least `count` of so many independent trials turn out so: what a sign test goes by, with a probability of ½. */
export function binomialTail(count: number, trials: number, probability: number): number {
  return count === 0 ? 1 : incompleteBeta(probability, count, trials - count + 1);
}

/**
 * How often chance makes all of these tails together as small as they are, at most: the least m p₍ᵢ₎ / i over the sorted tails. It holds
 * for independent tests and for those that err together (Simes 1986; Sarkar 1998); times 1 + ½ + … + 1/m it holds whatever
 * they share (Hommel 1983), such as the draws of one cell.
 */
export function jointTail(tails: readonly number[], dependence: "any" | "positive"): number {
  const harmonic = dependence === "any" ? tails.reduce((sum, _, index) => sum + 1 / (index + 1), 0) : 1;
  const sorted = tails.toSorted((a, b) => a - b);
  return sorted.reduce(
    (least, tail, index) => Math.min(least, (harmonic * tails.length * tail) / (index + 1)),
    1,
  );
}

/** "34 %", "0.02 %", "less than 0.001 %": a small probability as people read it. */
export function chanceText(chance: number): string {
  if (chance < 1e-5) return "less than 0.001 %";
  return `${Number((100 * chance).toPrecision(chance < 0.1 ? 1 : 2))} %`;
}

/** What a test of many values at once says of chance. */
export function jointTestText(chance: number, least = falseAlarms): string {
  return `a test of all of them at once gives chance ${chanceText(chance)}, where below ${chanceText(least)} rules it out`;
}
