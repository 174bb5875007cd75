import { join } from "node:path";
import { type Command, Option } from "commander";
import type { Augmentation } from "../data/augment.ts";
import { losses } from "../losses/losses.ts";
import { nodeRuntime } from "../runtime/node.ts";
import type { TrainResult } from "../train/events.ts";
import { train } from "../train/train.ts";
import { addModelOptions, buildModel, type ModelFlags, refuseShapeFlags } from "./build-model.ts";
import { type DatasetChoice, dataNames, openDataset } from "./datasets.ts";
import { addImportOptions, type ImportFlags, importSettings } from "./import-options.ts";
import { interruptible } from "./interrupt.ts";
import { loadModel } from "./load-model.ts";
import { knownData, lossNamed, namesOf, rememberData } from "./model-data.ts";
import { addDataOptions, augmentation, choice, positiveNumber, wholeNumber } from "./options.ts";
import { reportProgress } from "./progress.ts";
import { runFolder } from "./run-folder.ts";
import {
  addEstimatorOptions,
  addOptimizerOptions,
  type EstimatorFlags,
  type OptimizerFlags,
  trainingSettings,
} from "./training-options.ts";

export interface TrainFlags extends ModelFlags, DatasetChoice, ImportFlags, EstimatorFlags, OptimizerFlags {
  readonly augment?: Augmentation;
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
  addDataOptions(command, dataNames).option(
    "--augment <steps>",
    "change training images at random: crop:4 (padding), flip, or crop:4,flip",
    augmentation,
  );
  addImportOptions(command);
  addEstimatorOptions(command).addOption(
    choice("--loss <name>", "loss", Object.keys(losses)).default("cross-entropy"),
  );
  addOptimizerOptions(command)
    .optionsGroup("Run:")
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
  forwardgrad train --data images --data-dir photos --image-size 32 --augment crop:4,flip --out runs/photos
  forwardgrad train --data csv --data-file houses.csv --target price --loss mean-squared-error --out runs/prices
  forwardgrad train --optimizer adam --epochs 20 --patience 3 --track-quality 100 --out runs/adam
  forwardgrad train --model my-model.onnx --trainable 'head' --data mnist --out runs/head
  forwardgrad train --model my-model.onnx --adapter lora --rank 4 --target 'fc' --data mnist --out runs/lora
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
  const isFile = flags.model.endsWith(".onnx");
  if (isFile) refuseShapeFlags(flags, "an ONNX file", []);
  const loaded = isFile ? loadModel(flags.model) : undefined;
  const dataset = await openDataset(flags, loaded && knownData(loaded));
  const runtime = nodeRuntime({ threads: flags.threads });
  const model = loaded ? rememberData(loaded, namesOf(dataset)) : buildModel(flags, dataset);
  return interruptible(async (signal) => {
    const events = train({
      model,
      inPlace: true,
      examples: dataset.train,
      test: dataset.test,
      runtime,
      store: runFolder(flags.out),
      signal,
      ...trainingSettings(flags),
      ...importSettings(flags, flags.seed),
      loss: lossNamed(flags.loss, knownData(model)),
      augment: flags.augment,
      batch: flags.batch,
      epochs: flags.epochs,
      steps: flags.steps,
      seed: flags.seed,
      resume: flags.resume,
      allowChanges: flags.allowChanges,
      checkpointSeconds: flags.checkpointSeconds,
      qualityDraws: flags.gradient === "exact" ? 0 : 4,
    });
    const result = await reportProgress(events, flags.out, loaded);
    return result && { ...result, model: join(flags.out, "model.onnx") };
  });
}

function summary(outcome: TrainOutcome): string {
  const percent = (value: number | undefined) =>
    value === undefined ? "–" : `${(100 * value).toFixed(2)} %`;
  return [
    `test accuracy ${percent(outcome.testAccuracy)}, test loss ${outcome.testLoss?.toFixed(4) ?? "–"}, ` +
      `${outcome.steps} steps${outcome.secondsPerStep ? ` of ${(1000 * outcome.secondsPerStep).toFixed(1)} ms` : ""}`,
    ...(outcome.bestStep === undefined
      ? []
      : [`kept: the parameters of step ${outcome.bestStep}, the best validation loss`]),
    `model: ${outcome.model}`,
  ].join("\n");
}
