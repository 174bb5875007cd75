/** Groups of examples that have their loss together, one behind the other: set aside, shuffled and read as wholes. */
import { epochOrder, splitValidation } from "../../data/batches.ts";
import { describePosition, type Examples } from "../../data/dataset.ts";
import { membersOf } from "../../data/split.ts";
import { DataError, SettingError } from "../../errors/errors.ts";
import { option as mention, type Words, words } from "../../errors/words.ts";
import type { RunOptions } from "../settings/run-settings.ts";
import type { BatchReaderOptions } from "./batch-reading.ts";

/**
 * How a run sets aside and visits groups of `each` examples.
 *
 * @throws SettingError for what would take groups apart; DataError where the examples do not lie in groups
 */
export function inGroups(
  each: number,
  run: Pick<
    RunOptions,
    "loss" | "batch" | "accumulate" | "sampling" | "stream" | "examples" | "validation" | "test"
  >,
): Required<Pick<BatchReaderOptions, "order" | "split">> {
  const refuse = (isGiven: boolean, option: string, what: Words) => {
    if (!isGiven) return;
    throw new SettingError(
      words`The loss ${run.loss.name} compares examples of a batch that lie in groups of ${each}: ${what}`,
      {
        option,
      },
    );
  };
  refuse(
    run.batch % each !== 0,
    "batch",
    words`${mention("batch", run.batch)} would take one apart; give a multiple of ${each}.`,
  );
  refuse(
    run.accumulate > 1,
    "batch.accumulate",
    words`parts of a batch would be compared among themselves alone, another loss; leave ${mention("batch.accumulate")} out.`,
  );
  refuse(
    run.sampling !== undefined,
    "batch.sampling",
    words`drawing them one by one would take groups apart; leave ${mention("batch.sampling")} out.`,
  );
  refuse(
    run.stream !== undefined,
    "examples",
    words`a stream is shuffled one by one, which would take groups apart; give arrays as ${mention("examples")}.`,
  );
  for (const [part, what] of [
    [run.examples, "the training data"],
    [run.validation, "the validation data"],
    [run.test, "the test data"],
  ] as const)
    if (typeof part === "object") checkGroups(part, each, what);
  /** The groups of examples that lie in whole groups. */
  const groupsOf = (indices: Uint32Array) =>
    indices.filter((_, at) => at % each === 0).map((index) => index / each);
  return {
    order: (indices, key, epoch) => membersOf(epochOrder(groupsOf(indices), key, epoch), each),
    split(count, validation, key) {
      const whole = Math.floor(validation / each);
      // One group alone has nothing that it is compared with.
      const groups = splitValidation(count / each, whole < 2 ? 0 : whole, key);
      return { train: membersOf(groups.train, each), validation: membersOf(groups.validation, each) };
    },
  };
}

/** @throws DataError where examples do not lie in groups of the same number, one behind the other */
function checkGroups(examples: Examples, each: number, name: string): void {
  const { labels, count } = examples;
  const wrong = labels.findIndex((label, at) => label !== labels[at - (at % each)]);
  if (count % each !== 0 || count < 2 * each)
    throw new DataError(
      `${name}: ${count} examples, expected groups of ${each}, one behind the other, and at least two of them; complete them.`,
      {
        source: name,
      },
    );
  if (wrong === -1) return;
  throw new DataError(
    `${name}: ${describePosition(examples, wrong)} has the number ${labels[wrong]}, and the one before it ${labels[wrong - 1]}; expected the same number for ` +
      `${each} examples of a group, one behind the other.`,
    { source: name },
  );
}
