import { isArrayOf } from "../arrays/kind.ts";
import { withoutDropout } from "../objective/dropout.ts";
import { modelFrom } from "../objective/importing/model-file.ts";
import { examplesFor } from "./example-arrays.ts";
import { ofForward } from "./settings/estimator.ts";
import type { TrainOptions } from "./settings/options.ts";
import { trainOptions } from "./settings/options.ts";
import { type RunOptions, runSettings } from "./settings/run-settings.ts";

/** Decodes the model, puts adapters into it, and fits the examples to its input. @throws when they do not fit */
export async function runOptions(options: TrainOptions): Promise<RunOptions> {
  const settings = runSettings(options);
  const { adapter, loss, input } = settings;
  const base = await modelFrom(options.model);
  const {
    rank = trainOptions.adapter.parts.rank.default,
    seed = settings.seed,
    target,
    alpha,
  } = adapter ?? {};
  // Loaded where it is asked for: most runs of a page have no adapters, and no new head.
  const adapted =
    adapter && (await import("../objective/adapter.ts")).adaptModel(base, { rank, seed, target, alpha });
  const read = { loss, input };
  const run: RunOptions = {
    ...settings,
    model: adapted?.model ?? base,
    // An adapted model shares its numbers with the base that its adapters are merged into.
    inPlace: !adapted && (settings.inPlace ?? isArrayOf("Uint8Array", options.model)),
    trainable: adapted ? (name) => adapted.parameters.includes(name) : settings.trainable,
    examples: await examplesFor(base, options.examples, { ...read, option: "examples" }),
    test: options.test && (await examplesFor(base, options.test, { ...read, option: "test" })),
    merge:
      adapter?.saved === "apart"
        ? undefined
        : adapted?.merge && { into: withoutDropout(base), values: adapted.merge },
  };
  if (!base.head) return run;
  const { withHeadSettings } = await import("./settings/head-settings.ts");
  return withHeadSettings(run, base.head, options, adapted?.parameters, { ofForward, runSettings });
}
