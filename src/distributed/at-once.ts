/** Work on many things, some of them at once. */

/** Works on each of a list, `most` of them at once. @throws what the first of the works threw that failed */
export async function atOnce<Each>(
  most: number,
  list: readonly Each[],
  work: (each: Each, index: number) => Promise<void>,
): Promise<void> {
  const entries = list.entries();
  const lanes = Array.from({ length: Math.min(most, list.length) }, async () => {
    // All lanes take from one iterator.
    for (const [index, each] of entries) await work(each, index);
  });
  await Promise.all(lanes);
}
