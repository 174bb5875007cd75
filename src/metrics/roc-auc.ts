/** How well scores order two classes. */

/**
 * The area under the receiver operating characteristic: the share of pairs, one example of each class, whose scores are in the right
 * order; a tie counts half (Mann and Whitney's U over the number of pairs).
 *
 * @param scores [count]: the larger, the more an example looks positive; any increasing function of them gives the same area
 * @param isPositive [count]: 1 for examples of the positive class, 0 for the others
 * @returns from 0 to 1, ½ by chance; undefined where one class has no examples, or a score is no number
 */
export function rocAuc(scores: ArrayLike<number>, isPositive: ArrayLike<number>): number | undefined {
  for (let index = 0; index < scores.length; index++) if (Number.isNaN(scores[index])) return undefined;
  const order = Uint32Array.from({ length: scores.length }, (_, index) => index).sort(
    (a, b) => (scores[a] as number) - (scores[b] as number),
  );
  let [positives, negatives, pairs] = [0, 0, 0];
  for (let start = 0; start < order.length; ) {
    let end = start;
    let tiedPositives = 0;
    while (end < order.length && scores[order[end] as number] === scores[order[start] as number])
      tiedPositives += isPositive[order[end++] as number] ? 1 : 0;
    const tiedNegatives = end - start - tiedPositives;
    pairs += tiedPositives * (negatives + tiedNegatives / 2);
    positives += tiedPositives;
    negatives += tiedNegatives;
    start = end;
  }
  return positives === 0 || negatives === 0 ? undefined : pairs / (positives * negatives);
}
