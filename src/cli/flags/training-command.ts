import { type Command, Option } from "commander";
import type { Dataset } from "../../data/dataset.ts";
import type { Augmentation } from "../../data/pictures/augment.ts";
import type { Model } from "../../onnx/decode.ts";
import { type NodeDevice, nodeRuntime } from "../../runtime/node.ts";
import { loadModel } from "../../storage/node-model.ts";
import type { RunStore } from "../../storage/run-store.ts";
import type { TrainOptions } from "../../train/options.ts";
import { addModelOptions, buildModel, type ModelFlags, refuseShapeFlags } from "./build-model.ts";
import { type DatasetChoice, dataNames, openDataset } from "./datasets.ts";
import { addImportOptions, type ImportFlags, importSettings } from "./import-options.ts";
import { addLossOptions, chosenLoss, type LossFlags } from "./loss-options.ts";
import { imageChannels, knownData, namesOf, rememberData } from "./model-data.ts";
import { addDataOptions, addRuntimeOptions, augmentation, positiveNumber, wholeNumber } from "./options.ts";
import {
  addEstimatorOptions,
  addOptimizerOptions,
  type EstimatorFlags,
  type OptimizerFlags,
  trainingSettings,
} from "./training-options.ts";

/** What is trained, how, and where it is kept: the flags of train and search. */
export interface TrainFlags
  extends ModelFlags,
    DatasetChoice,
    LossFlags,
    ImportFlags,
    EstimatorFlags,
    OptimizerFlags {
  readonly augment?: Augmentation;
  readonly batch: number;
  readonly epochs?: number;
  readonly steps?: number;
  readonly out: string;
  readonly resume: boolean;
  readonly overwrite: boolean;
  readonly allowChanges: boolean;
  readonly device?: NodeDevice;
  readonly threads?: number;
  readonly checkpointSeconds?: number;
  readonly json: boolean;
}

/** The flags as they were given: a command chooses a folder of its own where --out names none. */
export type GivenTrainFlags = Omit<TrainFlags, "out"> & { readonly out?: string };

/** @param out the default folder, and what is kept there */
export function addTrainingOptions(
  command: Command,
  out: { readonly folder: string; readonly holds: string },
): Command {
  addModelOptions(command);
  addDataOptions(command, dataNames).option(
    "--augment <steps>",
    "change training images at random: crop:4 (padding), flip, or crop:4,flip",
    augmentation,
  );
  addImportOptions(command);
  addLossOptions(addEstimatorOptions(command));
  addOptimizerOptions(command).optionsGroup("Run:");
  return addRuntimeOptions(command)
    .option("--batch <n>", "examples a step", wholeNumber(1), 64)
    .option(
      "--epochs <n>",
      "passes over the training set (default: 1, or as many as --steps needs)",
      wholeNumber(1),
    )
    .option("--steps <n>", "end after so many steps", wholeNumber(1))
    .option("--seed <n>", "decides initialization, order and tangents", wholeNumber(0), 0)
    .option(
      "--out <folder>",
      `folder for ${out.holds} (default: ${out.folder}, or ${out.folder}-2 and so on where that exists)`,
    )
    .option(
      "--resume",
      "go on with the run in --out, or start it; without --out, with the newest one that is not complete",
      false,
    )
    .option("--overwrite", "start anew in --out, and remove the run that it holds", false)
    .option(
      "--allow-changes",
      "let --resume change device, threads, chunk and runtime version, and go on without lost metrics",
      false,
    )
    .addOption(
      new Option("--checkpoint-seconds <x>", "time between checkpoints")
        .argParser(positiveNumber)
        .default(10),
    )
    .option("--json", "print one JSON object on the last line of stdout", false);
}

/** Opens model, data and runtime, and reads the settings. @param store where the run will be kept */
export async function openTraining(
  flags: TrainFlags,
  store: RunStore,
): Promise<{
  readonly dataset: Dataset;
  readonly options: Omit<TrainOptions, "test">;
  /** The model as it was in the user's file, if it came from one. */
  readonly imported: Model | undefined;
}> {
  const isFile = flags.model.endsWith(".onnx");
  if (isFile) refuseShapeFlags(flags, "an ONNX file", []);
  const loaded = isFile ? loadModel(flags.model, flags.limit) : undefined;
  const dataset = await openDataset(
    flags,
    loaded && { ...knownData(loaded), channels: imageChannels(loaded, flags.input) },
  );
  if (dataset.train.count === 0) {
    throw new Error(
      `--data ${flags.data}: all ${dataset.test.count} examples are there to test on, expected some to train on; add a part to ` +
        "train on (train/), or leave --test-fraction below 1.",
    );
  }
  const runtime = nodeRuntime({ device: flags.device, threads: flags.threads });
  const model = loaded ? rememberData(loaded, namesOf(dataset)) : buildModel(flags, dataset);
  const options = {
    model,
    examples: dataset.train,
    runtime,
    store,
    ...trainingSettings(flags),
    ...importSettings(flags, flags.seed),
    loss: chosenLoss(flags, knownData(model)),
    augment: flags.augment,
    batch: flags.batch,
    epochs: flags.epochs,
    steps: flags.steps,
    seed: flags.seed,
    resume: flags.resume,
    overwrite: flags.overwrite,
    allowChanges: flags.allowChanges,
    checkpointSeconds: flags.checkpointSeconds,
  };
  return { dataset, options, imported: loaded };
}
