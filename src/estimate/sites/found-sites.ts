/** Where tangents are injected: what is asked for, and what is found. */
import type { Site } from "../../ad/sites.ts";
import type { Words } from "../../errors/words.ts";
import type { Guess, SiteGuess } from "../../guess/guess.ts";
import type { ExampleLayout } from "../../objective/coupling.ts";
import type { Value } from "../../onnx/graph.ts";
import type { GraphBuilder } from "../../ops/builder.ts";
import { reshape, transpose } from "../../ops/rules.ts";

export interface SiteOptions {
  /** Perturbs the outputs of named blocks instead: `true`, or the pattern that finds a block's name in a node's. */
  readonly blocks?: boolean | RegExp;
  /** Looks at few values at once to place the sites. Default false: at all of them, which takes less than tangents there will. */
  readonly lowMemory?: boolean;
  /** What is foreseen of the gradient, for tangents to correct. Default: nothing. */
  readonly guess?: Guess;
}

/** A site, and where the examples of a batch lie in its value. */
export interface FoundSite extends Site {
  readonly layout: ExampleLayout;
  /** Numbers of one example at this site. */
  readonly size: number;
  /** True where only the numbers that are not zero are perturbed, because no gradient passes the others. */
  readonly rectified: boolean;
  /** Whether its numbers reach the guess's signal by sums alone, or through what `FoundSites.carry` transposes. Default false. */
  readonly isSummed?: boolean;
  /** Whether nothing is foreseen there, because it has not the positions that the guess's signal is reduced to. Default false. */
  readonly isBeside?: boolean;
}

/** What a guess's signal is reduced to. */
export interface Reduction {
  /** The guess of the whole signal that reads the reduced one. */
  of(rule: SiteGuess): SiteGuess;
  /** What that leaves out. */
  readonly note: Words;
}

export interface FoundSites {
  readonly sites: readonly FoundSite[];
  /** The block that ends at the losses, where the gradient is known. */
  readonly last?: Site;
  /** The value whose gradient the guess reads. Default: the logits, which need no site. */
  readonly signal?: Omit<FoundSite, "isSummed">;
  /**
   * Emits the cotangents of sites that reach the signal through normalizations, [1, ...shape] by name, from the signal's. Default: at
   * all sites the gradient is as it is at the signal.
   */
  readonly carry?: (g: GraphBuilder, cotangent: Value) => ReadonlyMap<string, Value>;
  /** What the signal is reduced to. Default: all of it is read. */
  readonly reduction?: Reduction;
  /** One example's numbers at all sites together: the dimension of the space that tangents live in. */
  readonly dimension: number;
}

/** The numbers of each example, [batch, n], as they lie in a value of this shape. */
export function fromExamples(
  g: GraphBuilder,
  numbers: Value,
  { outer, inner }: ExampleLayout,
  shape: readonly number[],
): Value {
  const [batch = 1] = numbers.shape;
  return reshape(g, transpose(g, reshape(g, numbers, [batch, outer, inner]), [1, 0, 2]), shape);
}
