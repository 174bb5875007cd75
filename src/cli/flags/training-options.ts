import type { Command } from "commander";
import { type AggregatorName, aggregators } from "../../aggregate/aggregators.ts";
import { type OptimizerName, optimizers } from "../../optim/optimizers.ts";
import { type ScheduleName, schedules } from "../../optim/schedules.ts";
import { type SamplerName, samplers } from "../../tangents/samplers.ts";
import type { EstimatorSettings, TrainSettings } from "../../train/prepare.ts";
import { choice, fraction, nonNegativeNumber, pattern, positiveNumber, wholeNumber } from "./options.ts";

/** How the gradient is estimated. */
export interface EstimatorFlags {
  readonly gradient: "forward" | "simulated" | "exact";
  readonly perturb: "activations" | "weights" | "blocks";
  readonly blocks?: RegExp;
  readonly sampler?: SamplerName;
  readonly adapter?: "lora";
  readonly rank?: number;
  readonly tangentRank?: number;
  readonly angle?: number;
  readonly tangents: number;
  readonly tangentChunk?: number;
  readonly shareTangents: boolean;
  readonly lowMemory: boolean;
  readonly aggregate: AggregatorName;
  readonly within?: number;
  readonly select?: "all" | "first-n";
  readonly expectedLength?: boolean;
}

/** What is done with the gradient. */
export interface OptimizerFlags {
  readonly optimizer?: OptimizerName;
  readonly lr?: number | "auto";
  readonly momentum: number;
  readonly nesterov?: boolean;
  readonly weightDecay?: number;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
  readonly clip?: number;
  readonly schedule?: ScheduleName;
  readonly decay?: number;
  readonly decayEvery?: number;
  readonly plateauPatience?: number;
  readonly warmUp?: number;
  readonly patience?: number;
  readonly trackQuality?: number;
}

export function addEstimatorOptions(command: Command): Command {
  return command
    .optionsGroup("Gradient:")
    .addOption(
      choice("--perturb <site>", "where tangents are injected", ["activations", "weights", "blocks"]).default(
        "activations",
      ),
    )
    .option("--blocks <regex>", "finds a block in a node's name (default: its first segment)", pattern)
    .addOption(
      choice(
        "--sampler <name>",
        "where tangents come from; default: signs, or normal numbers for k above n/8",
        Object.keys(samplers),
      ),
    )
    .option("--tangent-rank <r>", "rank of low-rank tangents beside adapters (default: 1)", wholeNumber(1))
    .option(
      "--angle <degrees>",
      "between the first of the fixed-angle tangents and the others, up to 90 (default: 45)",
      positiveNumber,
    )
    .option("--tangents <k>", "directions a step", wholeNumber(1), 16)
    .option("--tangent-chunk <n>", "directions computed at once (default: all)", wholeNumber(1))
    .option("--share-tangents", "one set of directions for all examples of a batch", false)
    .option("--low-memory", "run layer by layer: memory does not grow with depth", false)
    .addOption(
      choice("--aggregate <name>", "how derivatives become a gradient", Object.keys(aggregators)).default(
        "projection",
      ),
    )
    .option(
      "--within <x>",
      "near-best averages what is within this part of the best (default: 0.2)",
      fraction,
    )
    .addOption(
      choice("--select <which>", "which of more tangents than dimensions a projection uses", [
        "all",
        "first-n",
      ]),
    )
    .option("--expected-length", "projections as long as the exact gradient, on average")
    .addOption(
      choice("--gradient <kind>", "forward; simulated from exact ones; or exact, the baseline", [
        "forward",
        "simulated",
        "exact",
      ]).default("forward"),
    );
}

export function addOptimizerOptions(command: Command): Command {
  return command
    .optionsGroup("Optimizer:")
    .addOption(choice("--optimizer <name>", "optimizer", Object.keys(optimizers)).default("sgd"))
    .option(
      "--lr <x>",
      "learning rate (default: derived from optimizer, estimator, n and k), or auto: less where the curvature asks for less",
      (given) => (given === "auto" ? given : positiveNumber(given)),
    )
    .option("--momentum <x>", "momentum of SGD", fraction, 0)
    .option("--nesterov", "let SGD look ahead along its momentum")
    .option("--weight-decay <x>", "pulls parameters towards 0 (default: 0; adamw: 0.01)", nonNegativeNumber)
    .option("--beta1 <x>", "Adam's decay of the mean gradient (default: 0.9)", fraction)
    .option("--beta2 <x>", "Adam's decay of the mean square (default: 0.999)", fraction)
    .option("--epsilon <x>", "Adam's addition to the root mean square (default: 1e-8)", nonNegativeNumber)
    .option("--clip <length>", "longest gradient (default: any)", positiveNumber)
    .addOption(
      choice("--schedule <name>", "how the learning rate changes", Object.keys(schedules)).default("cosine"),
    )
    .option(
      "--decay <x>",
      "factor of the step (default: 0.1), exponential (a step) and plateau (0.1) schedules",
      positiveNumber,
    )
    .option(
      "--decay-every <n>",
      "steps between decays of the step schedule (default: a third)",
      wholeNumber(1),
    )
    .option(
      "--plateau-patience <n>",
      "epochs without improvement before a plateau decays (default: 2)",
      wholeNumber(0),
    )
    .option("--warm-up <n>", "steps over which the learning rate grows at the start", wholeNumber(0))
    .option(
      "--patience <n>",
      "end after n epochs without a better validation loss, and keep the best parameters",
      wholeNumber(1),
    )
    .option(
      "--track-quality <n>",
      "compare with the exact gradient every n steps, for the metrics",
      wholeNumber(1),
    );
}

/** The settings that these flags describe. */
export function trainingSettings(flags: EstimatorFlags & OptimizerFlags): EstimatorSettings & TrainSettings {
  return {
    gradient: flags.gradient,
    perturb: flags.perturb,
    blocks: flags.blocks,
    sampler: flags.sampler,
    rank: flags.tangentRank ?? (flags.adapter ? undefined : flags.rank),
    angle: flags.angle,
    tangents: flags.tangents,
    tangentChunk: flags.tangentChunk,
    shareTangents: flags.shareTangents,
    lowMemory: flags.lowMemory,
    aggregate: flags.aggregate,
    within: flags.within,
    select: flags.select,
    expectedLength: flags.expectedLength,
    optimizer: flags.optimizer,
    learningRate: flags.lr,
    momentum: flags.momentum,
    nesterov: flags.nesterov,
    weightDecay: flags.weightDecay,
    beta1: flags.beta1,
    beta2: flags.beta2,
    epsilon: flags.epsilon,
    clip: flags.clip,
    schedule: flags.schedule,
    decay: flags.decay,
    decayEvery: flags.decayEvery,
    plateauPatience: flags.plateauPatience,
    warmUp: flags.warmUp,
    patience: flags.patience,
    trackQuality: flags.trackQuality,
  };
}
