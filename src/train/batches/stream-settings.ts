/** What a run of a stream is, and what it cannot be asked for. */
import type { ExampleStream } from "../../data/example-stream.ts";
import { SettingError } from "../../errors/errors.ts";
import { option as mention, type Words, words } from "../../errors/words.ts";
import type { Model } from "../../onnx/read-model.ts";
import type { RunOptions, RunSettings, RunStream } from "../settings/run-settings.ts";
import { openStream } from "./open-stream.ts";
import { streamedReader } from "./streamed-reader.ts";

/**
 * Opens a run's stream. None of its examples is set aside.
 *
 * @throws SettingError for what needs all examples at once; as `openStream`
 */
export async function streamSettings(
  model: Model,
  examples: ExampleStream,
  { loss, input, validation, sampling }: RunSettings,
): Promise<Pick<RunOptions, "examples" | "stream"> & { readonly validation?: 0 }> {
  if (typeof validation === "number" && validation > 0)
    refuse(
      "validation",
      words`${mention("validation", validation)} sets examples aside, which a stream does not hold; give such of its own
        (${mention("validation")}), and leave them out of the stream.`,
    );
  if (sampling !== undefined)
    refuse(
      "batch.sampling",
      words`${mention("batch.sampling")} draws examples of all, which a stream does not hold; let the stream give rare classes more often.`,
    );
  if (loss.config?.classWeights === "balanced")
    refuse(
      "loss",
      words`${mention("loss.classWeights", "balanced")} counts all labels, which a stream does not hold; give the classes' numbers.`,
    );
  const opened = await openStream(model, examples, { loss, input });
  const stream: RunStream = {
    ...opened,
    reader: (objective, options, create, check) => streamedReader(objective, opened, options, create, check),
  };
  return { examples: stream.first, stream, ...(validation === undefined && { validation: 0 }) };
}

function refuse(option: string, message: Words): never {
  throw new SettingError(message, { option });
}
