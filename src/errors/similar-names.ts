/** Up to five names that differ from this one by a few letters or contain it, nearest first. */
export function similarNames(name: string, names: readonly string[]): string[] {
  const wanted = name.toLowerCase();
  return names
    .map((other) => ({ other, distance: distanceBetween(wanted, other.toLowerCase()) }))
    .filter(({ distance }) => distance <= Math.max(1, Math.floor(wanted.length / 3)))
    .sort((a, b) => a.distance - b.distance || (a.other < b.other ? -1 : 1))
    .slice(0, 5)
    .map(({ other }) => other);
}

/** Edit distance (Levenshtein); 1 where the shorter word, of 3 letters or more, begins or ends the longer one. */
function distanceBetween(a: string, b: string): number {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  if (short.length >= 3 && short !== long && (long.startsWith(short) || long.endsWith(short))) return 1;
  let row = Array.from({ length: b.length + 1 }, (_, position) => position);
  for (let position = 1; position <= a.length; position++) {
    const next = [position];
    for (let other = 1; other <= b.length; other++) {
      const substituted = (row[other - 1] ?? 0) + (a[position - 1] === b[other - 1] ? 0 : 1);
      next.push(Math.min(substituted, (row[other] ?? 0) + 1, (next[other - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
