/** Who computes which granule: as fast as can be, by how fast each was. */

/** Whom granules may be given to. */
export interface Able {
  readonly participant: string;
  /** Of one granule, as measured; undefined where nothing was yet. */
  readonly seconds: number | undefined;
}

/**
 * Gives each granule to whoever would have done it first (list scheduling), the fastest first. Who was never measured counts as
 * the fastest, so that it will be.
 *
 * @returns granules by participant; those that get none are left out
 */
export function assign(granules: readonly number[], able: readonly Able[]): ReadonlyMap<string, number[]> {
  const known = able.flatMap(({ seconds }) => (seconds === undefined ? [] : [seconds]));
  const fastest = known.length > 0 ? Math.min(...known) : 1;
  const loads = able.map(({ participant, seconds = fastest }) => ({
    participant,
    seconds,
    share: [] as number[],
  }));
  for (const granule of granules) {
    let best = loads[0];
    for (const load of loads) if (best && doneAfter(load) < doneAfter(best)) best = load;
    best?.share.push(granule);
  }
  return new Map(
    loads.filter(({ share }) => share.length > 0).map(({ participant, share }) => [participant, share]),
  );
}

/** When one more granule would be done. */
function doneAfter({
  seconds,
  share,
}: {
  readonly seconds: number;
  readonly share: readonly number[];
}): number {
  return (share.length + 1) * seconds;
}
