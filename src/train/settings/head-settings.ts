/** What a new head on the model changes in a run's settings. */

import { SettingError } from "../../errors/errors.ts";
import { option as mention, type OptionValue, type Words, words } from "../../errors/words.ts";
import type { Head } from "../../onnx/read-model.ts";
import type { TrainOptions } from "./options.ts";
import type { RunOptions, runSettings } from "./run-settings.ts";

// Loaded together, where a model has a new head.
export { planFirstStage } from "../descent/first-stage.ts";

/** How settings are checked, and the names of those that say something of tangents. */
interface Checking {
  readonly runSettings: typeof runSettings;
  readonly ofForward: readonly (keyof TrainOptions)[];
}

/**
 * The settings of a run whose model has a new head. The head is trained with what stands beside it, adapters, and what is
 * chosen as trainable; alone, by its exact gradient, which one local transpose gives, unless something is said of tangents.
 *
 * @param run its settings without the head
 * @param adapters names of their tensors
 * @throws SettingError for options of the head that others leave without effect
 */
export function withHeadSettings(
  run: RunOptions,
  head: Head,
  options: TrainOptions,
  adapters: readonly string[] | undefined,
  by: Checking,
): RunOptions {
  const { parameters, beside, alone } = head;
  const { trainable: chosen } = options;
  if (adapters && beside === "all")
    throw pointless(
      "head.beside",
      beside,
      words`${mention("adapter")}, which leaves the matrices as they are`,
    );
  const isAlone = !adapters && !chosen && beside.length === 0;
  if (isAlone && alone > 0)
    throw pointless("head.alone", alone, words`nothing that is trained beside the head`);
  const isExact =
    isAlone && ["gradient" as const, ...by.ofForward].every((name) => options[name] === undefined);
  const { gradient, definition, quality } = isExact
    ? by.runSettings({ ...options, gradient: "exact", quality: {} })
    : run;
  return {
    ...{ ...run, head, gradient, definition, quality },
    trainable: trainableWith(head, chosen, adapters),
    merge: run.merge && { ...run.merge, values: savedWithHead(run.merge) },
    ...(alone > 0 && { headFirst: { names: parameters, share: alone } }),
    notes: [described(head), ...(run.notes ?? []), ...(isExact ? [exactNote] : [])],
  };
}

/** Values of tensors that are saved: adapters merged, all else that is trained as it is. */
function savedWithHead({ into, values }: NonNullable<RunOptions["merge"]>): typeof values {
  return (trained) => {
    const others = Object.entries(trained).filter(([name]) => into.initializers.has(name));
    return new Map([...others, ...values(trained)]);
  };
}

function pointless(option: string, value: OptionValue, because: Words): SettingError {
  return new SettingError(
    words`${mention(option, value)} has no effect with ${because}; leave one of them out.`,
    {
      option,
    },
  );
}

/** What a head is and reads, in a sentence. */
function described({ outputs, from, shape, pooling, cut }: Head): Words {
  const sizes = shape.map((size) => size ?? "?").join(", ");
  const instead = cut === undefined ? "" : ` It stands in the place of ${cut}, which was cut off.`;
  return words`A new head of ${outputs} ${outputs === 1 ? "output" : "outputs"} reads '${from}' [${sizes}] (${mention("head.from")}),
    ${pooling} (${mention("head.pool")}).${instead}`;
}

const exactNote: Words = words`The head alone is trained, and its gradient follows exactly from the loss: no tangents are
  drawn (${mention("perturb", "activations")} draws them all the same; ${mention("adapter", { rank: 8 })} trains more).`;

/** Undefined where all is trained that is so by default. */
function trainableWith(
  { parameters, beside }: Head,
  chosen: TrainOptions["trainable"],
  adapters: readonly string[] = [],
): RunOptions["trainable"] {
  if (beside === "all" && !chosen) return undefined;
  const names = new Set([...parameters, ...adapters, ...(beside === "all" ? [] : beside)]);
  return (name) => names.has(name) || chosen?.(name) === true;
}
