import { isArrayOf } from "../arrays/kind.ts";
import { adaptModel } from "../objective/adapter.ts";
import { withoutDropout } from "../objective/dropout.ts";
import { modelFrom } from "../objective/model-file.ts";
import { refuseHalfPrecision } from "../objective/precision.ts";
import { examplesFor } from "./example-arrays.ts";
import type { RunOptions, TrainOptions } from "./options.ts";

/** Decodes the model, puts adapters into it, and fits the examples to its input. @throws when they do not fit */
export function runOptions(options: TrainOptions): RunOptions {
  const base = modelFrom(options.model, options.limits);
  // Before examples are fitted to inputs that would be refused anyway.
  refuseHalfPrecision(base);
  const adapted = options.adapter && adaptModel(base, { seed: options.seed, ...options.adapter });
  return {
    ...options,
    model: adapted?.model ?? base,
    // An adapted model shares its numbers with the base that its adapters are merged into.
    inPlace: !adapted && (options.inPlace ?? isArrayOf("Uint8Array", options.model)),
    trainable: adapted ? (name) => adapted.parameters.includes(name) : options.trainable,
    examples: examplesFor(base, options),
    merge:
      options.adapter?.saved === "apart"
        ? undefined
        : adapted && { into: withoutDropout(base), values: adapted.merge },
  };
}
