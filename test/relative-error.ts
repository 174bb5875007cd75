/** ‖a − b‖ / ‖b‖ */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [difference, size] = [0, 0];
  for (let place = 0; place < b.length; place++) {
    difference += ((a[place] as number) - (b[place] as number)) ** 2;
    size += (b[place] as number) ** 2;
  }
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  return size === 0 ? Math.sqrt(difference) : Math.sqrt(difference / size);
}
