/** How many labels are of each class. */
import { type Examples, IGNORED_LABEL } from "./dataset.ts";

/** By the class's number; labels that do not count are left out, and so are classes that none is of. */
export function classCounts(labels: Examples["labels"]): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const label of labels) if (label !== IGNORED_LABEL) counts.set(label, (counts.get(label) ?? 0) + 1);
  return counts;
}
