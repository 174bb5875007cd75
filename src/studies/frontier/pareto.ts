/** Something with a cost, of which less is better, and a value, of which more is better. */
export interface Tradeoff {
  readonly cost: number;
  readonly value: number;
}

/**
 * The Pareto frontier: those that none beats, which is to say that none of at most their cost has a higher value and none
 * cheaper has as high a one. By ascending cost, and so by ascending value; of equals the first given.
 */
export function paretoFrontier<T extends Tradeoff>(given: readonly T[]): readonly T[] {
  const frontier: T[] = [];
  for (const one of [...given].sort((a, b) => a.cost - b.cost || b.value - a.value)) {
    const last = frontier.at(-1);
    if (!last || one.value > last.value) frontier.push(one);
  }
  return frontier;
}
