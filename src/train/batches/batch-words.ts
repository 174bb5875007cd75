/** What there is to say of a run whose examples do not make the batches that were asked for. */
import type { Examples } from "../../data/dataset.ts";
import { DataError, SettingError } from "../../errors/errors.ts";
import { option as mention, type Words, words } from "../../errors/words.ts";
import type { RunOptions } from "../settings/run-settings.ts";

/** Of examples that make not even one batch. */
export function tooFew(left: number, validation: number, batch: number): DataError {
  return new DataError(
    `The training set has ${left} examples after ${validation} were split off for validation, fewer ` +
      `than one batch of ${batch}; use a smaller batch (where the model's file fixes it, export the model with an open ` +
      "batch axis), a smaller validation part, or more data.",
  );
}

/** Of a setting that follows the validation loss, where there are no validation examples. */
export function noValidation({
  patience,
  schedule,
}: Pick<RunOptions, "patience" | "schedule">): SettingError {
  const option = patience === undefined ? "schedule" : "patience";
  const follower =
    option === "schedule" ? words`${mention("schedule", schedule.name)}` : words`${mention(option)}`;
  return new SettingError(
    words`${follower} follows the validation loss, and no examples are set aside for validation; set ${mention("validation")}
      above 0, or give more data.`,
    { option },
  );
}

/** Of a batch that was made smaller. @param left how many of all examples are left to train on */
export function smallerBatch({ count }: Pick<Examples, "count">, left: number, wanted: number): Words {
  const rest = left < count ? `, after ${count - left} were set aside for validation` : "";
  return words`${left} ${left === 1 ? "example is" : "examples are"} left to train on${rest}, fewer than a batch of ${wanted}: each
      step reads all of them.`;
}
