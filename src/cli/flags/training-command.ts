/** The flags of a training, which `train` and `search` share, and what they open. */
import type { Command } from "commander";
import type { Dataset } from "../../data/dataset.ts";
import type { Augmentation } from "../../data/pictures/augment.ts";
import { imageChannels, knownData, namesOf, rememberData } from "../../objective/model-data.ts";
import type { Model } from "../../onnx/read-model.ts";
import { type NodeDevice, nodeRuntime } from "../../runtime/node.ts";
import type { Options } from "../../settings/option.ts";
import { loadModel } from "../../storage/node-model.ts";
import type { RunStore } from "../../storage/run-store.ts";
import { type TrainOptions, trainOptions } from "../../train/settings/options.ts";
import { onOneScale } from "../outlook/column-scales.ts";
import { type AdapterFlags, addAdapterFlag, withAdapter } from "./adapter-flags.ts";
import { addModelOptions, buildModel, type ModelFlags, refuseShapeFlags } from "./build-model.ts";
import { chosenLoss, lossData, lossName, trainingSettings } from "./chosen-loss.ts";
import { type DatasetChoice, dataNames, openDataset } from "./datasets.ts";
import type { DistributedFlags } from "./distributed-flags.ts";
import { addHeadFlags, type HeadFlags, headDimensions, withHeadFlags } from "./head-flags.ts";
import { addDataOptions, addRuntimeOptions, augmentation, wholeNumber } from "./options.ts";
import { addSettingFlags, asOptions, type SettingData } from "./setting-flags.ts";

/** What is trained, how, and where it is kept: the flags of train and search that are no settings of a run, and these. */
export interface TrainFlags
  extends ModelFlags,
    Omit<DatasetChoice, "loss" | "adapter">,
    AdapterFlags,
    DistributedFlags,
    HeadFlags {
  /** What the library is asked for, under its names. */
  readonly settings: SettingData;
  readonly augment?: Augmentation;
  /** Whether the columns of a table are brought to one scale inside of a model file. */
  readonly standardize?: boolean;
  readonly out: string;
  readonly device?: NodeDevice;
  readonly threads?: number;
  readonly json: boolean;
  readonly config?: string;
  readonly printConfig?: boolean;
}

/** The flags as they were given: a command chooses a folder of its own where --out names none. */
export type GivenTrainFlags = Omit<TrainFlags, "out" | "settings"> & { readonly out?: string };

/** Settings by the group of flags that they are in; those of what is trained come first. */
const groups = {
  "What is trained:": [
    ...(["trainable", "frozen", "input", "fill", "dimensions", "output", "batchNorm", "adapter"] as const),
  ],
  "Gradient:": [
    ...(["perturb", "sampler", "tangents", "tangentChunk", "lowMemory", "aggregate", "gradient"] as const),
    "loss",
  ],
  "Optimizer:": [
    ...(["optimizer", "learningRate", "clip", "schedule", "patience", "quality"] as const),
    "divergenceFactor",
  ],
  "Run:": [
    ...(["batch", "epochs", "steps", "seed", "validation", "resume", "overwrite"] as const),
    ...(["allowChanges", "checkpointSeconds"] as const),
  ],
} as const satisfies Record<string, readonly (keyof typeof trainOptions)[]>;

/** What the command line adds to the help of settings. */
const remarks: Readonly<Record<string, string>> = {
  resume: "without --out, with the newest one that is not complete",
};

/** @param out the default folder, and what is kept there */
export function addTrainingOptions(
  command: Command,
  out: { readonly folder: string; readonly holds: string },
): Command {
  addModelOptions(command);
  addDataOptions(command, dataNames)
    .option(
      "--validation-file <file>",
      "csv, npz, text, conll, next-token: examples to validate on (default: a part of those to train on)",
    )
    .option("--validation-dir <folder>", "images: images to validate on, in class folders")
    .option(
      "--standardize",
      "csv: subtract each column's mean and divide by its deviation, inside of a model file",
    )
    .option(
      "--stream <examples>",
      "text: read --data-file row by row, with so many examples in memory to draw from (default: 10,000 where the file is larger than 256 MB)",
      wholeNumber(1),
    )
    .option("--augment <steps>", trainOptions.augment.help ?? "", augmentation);
  for (const [group, names] of Object.entries(groups)) {
    command.optionsGroup(group);
    if (group === "What is trained:") addHeadFlags(addAdapterFlag(command));
    if (group === "Run:") addRuntimeOptions(command);
    addSettingFlags(command, pick(names), remarks);
  }
  return command
    .option(
      "--out <folder>",
      `folder for ${out.holds} (default: ${out.folder}, or ${out.folder}-2 and so on where that exists)`,
    )
    .option("--config <file>", "JSON file that sets what flags set; flags win")
    .option("--print-config", "print the settings as such a file on stdout, and do nothing", false)
    .option("--json", "print one JSON object on the last line of stdout", false);
}

function pick(names: readonly (keyof typeof trainOptions)[]): Options {
  return Object.fromEntries(names.map((name) => [name, trainingSettings[name]]));
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
  const settings = withAdapter(flags.settings, flags);
  const loss = lossName(settings);
  const isFile = flags.model.endsWith(".onnx");
  if (!isFile && flags.head !== undefined)
    throw new Error("--head goes with a model file (--model FILE.onnx); leave it out, or choose one.");
  if (flags.standardize && (!isFile || flags.data !== "csv"))
    throw new Error(
      `--standardize goes with --data csv and a model file (--model FILE.onnx), whose inputs it brings to one scale; ${isFile ? "leave it out." : "models that are built here do so by themselves."}`,
    );
  if (isFile) refuseShapeFlags(flags, "an ONNX file", []);
  const loaded = isFile ? loadModel(flags.model, flags.limit) : undefined;
  const input = typeof settings.input === "string" ? settings.input : undefined;
  const hasAdapter = settings.adapter !== undefined;
  const dataset = await openDataset(
    { ...flags, loss, adapter: hasAdapter ? "lora" : undefined, held: settings.validation },
    loaded && {
      ...knownData(loaded),
      channels: imageChannels(loaded, input),
      reader: { model: loaded, file: flags.model },
    },
  );
  if (dataset.train.count === 0) {
    throw new Error(
      `--data ${flags.data}: all ${dataset.test.count} examples are there to test on, expected some to train on; add a part to ` +
        "train on (train/), or leave --test-fraction below 1.",
    );
  }
  const runtime = nodeRuntime({ device: flags.device, threads: flags.threads });
  const { seed = trainOptions.seed.default } = settings;
  const base = loaded
    ? rememberData(await onOneScale(loaded, dataset, { ...flags, input }), namesOf(dataset))
    : buildModel({ ...flags, seed: Number(seed), loss }, dataset);
  const dimensions = headDimensions(base, dataset, settings);
  const model = await withHeadFlags(base, flags, dataset, { seed: Number(seed), dimensions });
  const { validation } = dataset;
  const { validation: asked, ...others } = settings;
  if (validation && !dataset.stream && asked !== undefined)
    throw new Error(
      `--validation ${asked} sets examples aside, and ${flags.validationDir === undefined ? "--validation-file" : "--validation-dir"} gives such of its own; leave one of them out.`,
    );
  const options = {
    ...asOptions(trainingSettings, lossData(dataset.stream ? others : settings, knownData(model))),
    // The library knows no loss of this name: it is given as itself.
    ...(loss === "contrast" && { loss: chosenLoss(settings) }),
    ...(validation && { validation }),
    ...{ model, examples: dataset.stream ?? dataset.train, runtime, store },
    ...(flags.augment && { augment: flags.augment }),
  };
  return { dataset, options, imported: loaded && model };
}
