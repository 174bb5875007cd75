/** Classes that hardly any example is of. */
import { classCounts } from "./class-counts.ts";
import type { Dataset } from "./dataset.ts";

/** So many are named. */
const mostNamed = 5;

/** Which classes have no examples to learn from, and which so few that none is left to test on, in sentences. */
export function classWarnings({ classNames, train, test, stream }: Dataset): string[] {
  // Of a stream, the first examples alone are here.
  if (!classNames || stream) return [];
  const [learned, tested] = [classCounts(train.labels), classCounts(test.labels)];
  const named = (isOne: (number: number) => boolean) =>
    listed(classNames.filter((_, number) => isOne(number)));
  const unlearned = named((number) => !learned.has(number));
  const untested = named((number) => learned.get(number) === 1 && !tested.has(number));
  return [
    ...(unlearned && train.count > 0
      ? [`no example to train on is of ${unlearned}, so that cannot be learned. Add examples, or take it out`]
      : []),
    ...(untested && test.count > 0
      ? [
          `one example alone is of ${untested}, and none to test on: what is measured says nothing of that. Add examples`,
        ]
      : []),
  ];
}

function listed(names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined;
  const shown = names.slice(0, mostNamed).map((name) => `'${name}'`);
  const more = names.length - shown.length;
  return `class ${shown.join(", ")}${more > 0 ? ` (and ${more} more)` : ""}`;
}
