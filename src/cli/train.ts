import { join } from "node:path";
import { type Command, Option } from "commander";
import type { AggregatorName } from "../aggregate/aggregators.ts";
import { aggregators } from "../aggregate/aggregators.ts";
import { datasets } from "../data/list.ts";
import { type LossName, losses } from "../losses/losses.ts";
import { nodeRuntime } from "../runtime/node.ts";
import type { SamplerName } from "../tangents/samplers.ts";
import { samplers } from "../tangents/samplers.ts";
import type { TrainResult } from "../train/events.ts";
import { train } from "../train/train.ts";
import { addModelOptions, type ModelFlags, openModel } from "./build-model.ts";
import { openDataset } from "./datasets.ts";
import { interruptible } from "./interrupt.ts";
import { addDataOptions, choice, fraction, pattern, positiveNumber, wholeNumber } from "./options.ts";
import { reportProgress } from "./progress.ts";
import { runFolder } from "./run-folder.ts";

export interface TrainFlags extends ModelFlags {
  readonly data: string;
  readonly dataDir?: string;
  readonly gradient: "forward" | "exact";
  readonly perturb: "activations" | "weights";
  readonly sampler: SamplerName;
  readonly rank?: number;
  readonly tangents: number;
  readonly tangentChunk?: number;
  readonly shareTangents: boolean;
  readonly aggregate: AggregatorName;
  readonly loss: LossName;
  readonly trainable?: RegExp;
  readonly output?: string;
  readonly lr?: number;
  readonly momentum: number;
  readonly batch: number;
  readonly epochs?: number;
  readonly steps?: number;
  readonly out: string;
  readonly resume: boolean;
  readonly allowChanges: boolean;
  readonly threads?: number;
  readonly checkpointSeconds?: number;
  readonly json: boolean;
}

/** What a finished training run printed and left behind. */
export interface TrainOutcome extends TrainResult {
  /** Path of the trained model. */
  readonly model: string;
}

export function addTrainCommand(program: Command): void {
  const command = program
    .command("train")
    .description("train a network with forward passes only and save it as an ONNX file");
  addModelOptions(command);
  addDataOptions(
    command,
    datasets.map((entry) => entry.name),
  )
    .addOption(
      choice("--perturb <site>", "where tangents are injected", ["activations", "weights"]).default(
        "activations",
      ),
    )
    .addOption(
      choice("--sampler <name>", "where tangents come from", Object.keys(samplers)).default("gaussian"),
    )
    .option("--rank <r>", "rank of low-rank tangents (default: 1)", wholeNumber(1))
    .option("--tangents <k>", "directions a step", wholeNumber(1), 16)
    .option("--tangent-chunk <n>", "directions computed at once (default: all)", wholeNumber(1))
    .option("--share-tangents", "one set of directions for all examples of a batch", false)
    .addOption(
      choice("--aggregate <name>", "how derivatives become a gradient", Object.keys(aggregators)).default(
        "projection",
      ),
    )
    .addOption(
      choice("--gradient <kind>", "forward, or exact as the baseline", ["forward", "exact"]).default(
        "forward",
      ),
    )
    .addOption(choice("--loss <name>", "loss", Object.keys(losses)).default("cross-entropy"))
    .option(
      "--trainable <regex>",
      "which stored tensors of an ONNX file are trained (default: all float ones)",
      pattern,
    )
    .option("--output <name>", "output that the loss reads (default: the first float one)")
    .option("--lr <x>", "learning rate (default: derived from estimator, n and k)", positiveNumber)
    .option("--momentum <x>", "momentum of SGD", fraction, 0)
    .option("--batch <n>", "examples a step", wholeNumber(1), 64)
    .option(
      "--epochs <n>",
      "passes over the training set (default: 1, or as many as --steps needs)",
      wholeNumber(1),
    )
    .option("--steps <n>", "end after so many steps", wholeNumber(1))
    .option("--seed <n>", "decides initialization, order and tangents", wholeNumber(0), 0)
    .option("--out <folder>", "folder for the model, metrics and checkpoints", "runs/latest")
    .option("--resume", "go on with the run in --out, or start it", false)
    .option("--allow-changes", "let --resume change threads, chunk and runtime version", false)
    .option("--threads <n>", "threads (default: all cores)", wholeNumber(1))
    .addOption(
      new Option("--checkpoint-seconds <x>", "time between checkpoints")
        .argParser(positiveNumber)
        .default(10),
    )
    .option("--json", "print one JSON object on the last line of stdout", false)
    .addHelpText(
      "after",
      `
Examples:
  forwardgrad train                                        glyphs, activations, 16 tangents
  forwardgrad train --data mnist --epochs 5 --momentum 0.9 --out runs/mnist
  forwardgrad train --perturb weights --sampler low-rank --tangents 64 --out runs/weights
  forwardgrad train --model my-model.onnx --trainable 'head' --data mnist --out runs/head
  forwardgrad train --out runs/mnist --data mnist --epochs 5 --momentum 0.9 --resume`,
    )
    .action(async (flags: TrainFlags) => {
      const outcome = await runTraining(flags);
      if (flags.json) process.stdout.write(`${JSON.stringify(outcome)}\n`);
      else console.error(summary(outcome));
    });
}

/** Trains as the flags say, with progress on stderr. */
export async function runTraining(flags: TrainFlags): Promise<TrainOutcome> {
  const dataset = await openDataset(flags);
  const runtime = nodeRuntime({ threads: flags.threads });
  const model = openModel(flags, dataset);
  const { trainable } = flags;
  return interruptible(async (signal) => {
    const events = train({
      model,
      examples: dataset.train,
      test: dataset.test,
      runtime,
      store: runFolder(flags.out),
      signal,
      gradient: flags.gradient,
      perturb: flags.perturb,
      sampler: flags.sampler,
      rank: flags.rank,
      tangents: flags.tangents,
      tangentChunk: flags.tangentChunk,
      shareTangents: flags.shareTangents,
      aggregate: flags.aggregate,
      loss: losses[flags.loss](),
      output: flags.output,
      trainable: trainable && ((name) => trainable.test(name)),
      learningRate: flags.lr,
      momentum: flags.momentum,
      batch: flags.batch,
      epochs: flags.epochs,
      steps: flags.steps,
      seed: flags.seed,
      resume: flags.resume,
      allowChanges: flags.allowChanges,
      checkpointSeconds: flags.checkpointSeconds,
      qualityDraws: flags.gradient === "exact" ? 0 : 4,
    });
    const result = await reportProgress(events, flags.out);
    return result && { ...result, model: join(flags.out, "model.onnx") };
  });
}

function summary(outcome: TrainOutcome): string {
  const percent = (value: number | undefined) =>
    value === undefined ? "–" : `${(100 * value).toFixed(2)} %`;
  return [
    `test accuracy ${percent(outcome.testAccuracy)}, test loss ${outcome.testLoss?.toFixed(4) ?? "–"}, ` +
      `${outcome.steps} steps${outcome.secondsPerStep ? ` of ${(1000 * outcome.secondsPerStep).toFixed(1)} ms` : ""}`,
    `model: ${outcome.model}`,
  ].join("\n");
}
