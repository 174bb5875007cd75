import type { Command } from "commander";
import type { TrainSettings } from "../../train/prepare.ts";
import {
  assignment,
  choice,
  dimension,
  dimensionHelp,
  pattern,
  positiveNumber,
  wholeNumber,
} from "./options.ts";

/** What is trained of a model, mostly of an imported file. */
export interface ImportFlags {
  readonly trainable?: RegExp;
  readonly freeze?: RegExp;
  readonly input?: string;
  readonly fill?: Record<string, number>;
  readonly dim?: Record<string, number>;
  readonly output?: string;
  readonly adapter?: "lora";
  readonly rank?: number;
  readonly target?: string;
  readonly adapterTarget?: RegExp;
  readonly data: string;
  readonly alpha?: number;
  readonly saveAdapter: "merged" | "apart";
  readonly batchNorm: "frozen" | "batch";
}

export function addImportOptions(command: Command): Command {
  return command
    .optionsGroup("What is trained:")
    .option(
      "--trainable <regex>",
      "which stored tensors are trained (default: all float ones on the way to the loss)",
      pattern,
    )
    .option("--freeze <regex>", "which stored tensors are left as they are (default: none)", pattern)
    .option("--input <name>", "input that the examples feed (default: the only one, or the first float one)")
    .option("--fill <name=x>", "number that fills another input; may be given several times", assignment)
    .option("--dim <name=n>", dimensionHelp, dimension)
    .option("--output <name>", "output that the loss reads (default: the first float one)")
    .addOption(
      choice("--batch-norm <kind>", "statistics that BatchNormalization uses", ["frozen", "batch"]).default(
        "frozen",
      ),
    )
    .addOption(choice("--adapter <kind>", "train low-rank additions to stored matrices alone", ["lora"]))
    .option("--adapter-target <regex>", "as --target with --adapter, beside csv data", pattern)
    .option("--alpha <x>", "adapters are scaled by alpha/rank (default: rank)", positiveNumber)
    .addOption(
      choice("--save-adapter <how>", "as new weights, or as tensors of their own", [
        "merged",
        "apart",
      ]).default("merged"),
    )
    .option("--rank <r>", "rank of the adapters, or else of low-rank tangents (default: 1)", wholeNumber(1));
}

/** The settings that these flags describe. */
export function importSettings(flags: ImportFlags, seed: number): TrainSettings {
  const { trainable, freeze, adapter, rank = 1, target, adapterTarget, data, alpha, saveAdapter } = flags;
  if (adapter && (trainable || freeze))
    throw new Error(
      "--adapter trains the adapters alone, so --trainable and --freeze have no effect on it; choose the adapted matrices " +
        "with --target.",
    );
  // With csv data, --target is a column.
  const chosen = adapterTarget ?? (target === undefined || data === "csv" ? undefined : pattern(target));
  return {
    trainable: trainable && ((name) => trainable.test(name)),
    frozen: freeze && ((name) => freeze.test(name)),
    input: flags.input,
    fill: flags.fill,
    dimensions: flags.dim,
    output: flags.output,
    batchNorm: flags.batchNorm,
    adapter: adapter && {
      rank,
      alpha,
      seed,
      saved: saveAdapter,
      target: chosen && ((name) => chosen.test(name)),
    },
  };
}
