/** Settings of a run that depend on each other, on the model or on the data: what they become, and what is refused. */
import type { Examples } from "../../data/dataset.ts";
import { option as mention, type Words, words } from "../../errors/words.ts";
import type { Loss } from "../../losses/loss.ts";
import type { Objective } from "../../objective/objective.ts";
import type { Head, Model } from "../../onnx/read-model.ts";
import type { Tensor } from "../../onnx/tensor.ts";
import type { Optimizer } from "../../optim/optimizer.ts";
import type { Schedule } from "../../optim/schedules.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { requireOptions } from "../../settings/needs.ts";
import type { Resolved } from "../../settings/option.ts";
import type { BatchReader, BatchReaderOptions } from "../batches/batch-reading.ts";
import type { OpenStream } from "../batches/open-stream.ts";
import type { PartSource } from "../batches/part-source.ts";
import type { CreateReader } from "../batches/streamed-reader.ts";
import { type Batching, batching } from "./batch.ts";
import { lossSetting, optimizerSetting, scheduleSetting } from "./choices.ts";
import { type ChosenEstimator, checkEstimator, chosenEstimator } from "./estimator.ts";
import { type TrainOptions, trainOptions } from "./options.ts";
import { minutesOf, type Waiting, waiting } from "./patience.ts";
import { refusePointless, resolveSettings } from "./resolve.ts";

/** Options checked, with defaults, and with things instead of their names. */
type Chosen = "batch" | "loss" | "optimizer" | "schedule" | "runtime" | "quality" | "patience";

/** A run's settings, checked, with defaults, and with things instead of their names. */
export interface RunSettings
  extends Omit<Resolved<typeof trainOptions>, keyof ChosenEstimator | Chosen>,
    ChosenEstimator,
    Batching {
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  readonly schedule: Schedule;
  readonly runtime: Runtime;
  readonly patience: Waiting | undefined;
  /** How many minutes the run may take before it stops. Default: any. */
  readonly minutes: number | undefined;
  readonly quality: { readonly every?: number | undefined; readonly draws: number };
}

/** A stream that a run reads. */
export interface RunStream extends OpenStream {
  /** Its batches. @param create what makes the batches of arrays */
  reader(
    objective: Objective,
    options: BatchReaderOptions,
    create: CreateReader,
    check: (batch: Examples) => void,
  ): Promise<BatchReader>;
}

/** The settings of a run whose model is decoded and whose examples are known. */
export interface RunOptions extends Omit<RunSettings, "model" | "examples" | "test" | "validation"> {
  readonly model: Model;
  /** Those to train on; of a stream, the first ones. */
  readonly examples: Examples;
  /** Where the examples come from that are read as they are needed. */
  readonly stream?: RunStream | undefined;
  readonly test: Examples | undefined;
  /** How many of the examples are set aside for validation, or examples of its own. */
  readonly validation: number | Examples | undefined;
  /** The file that trained adapters are merged into, and how. Default: the model is saved as it was trained. */
  readonly merge?: {
    readonly into: Model;
    values(trained: Readonly<Record<string, Tensor>>): Map<string, Tensor>;
  };
  /** The head that was put on the model. */
  readonly head?: Head | undefined;
  /** Tensors that are trained alone in the first part of the steps, and how large a share that is. Default: none. */
  readonly headFirst?: { readonly names: readonly string[]; readonly share: number };
  /** Where the parts of steps are computed. Default: here. */
  readonly parts?: PartSource;
  /** What follows from the model and is worth saying, in sentences. */
  readonly notes?: readonly Words[];
}

/**
 * Checks what a run was asked for, before anything is done.
 *
 * @param of who was asked: "train"
 * @throws SettingError that names the option, and the nearest valid one
 */
export function runSettings(options: TrainOptions, of = "train"): RunSettings {
  const resolved = resolveSettings(trainOptions, options, { of });
  requireOptions(of, trainOptions, options, ["model", "examples", "runtime"]);
  checkEstimator(options);
  checkTogether(options);
  const { quality = {} } = resolved;
  return {
    ...resolved,
    ...chosenEstimator(resolved),
    ...batching(resolved.batch),
    runtime: resolved.runtime as Runtime,
    loss: lossSetting.choose(resolved.loss),
    optimizer: optimizerSetting.choose(resolved.optimizer),
    schedule: scheduleSetting.choose(resolved.schedule),
    patience: waiting(resolved.patience),
    minutes: minutesOf(resolved.patience),
    quality: { ...quality, draws: quality.draws ?? trainOptions.quality.parts.draws.default },
  };
}

/** @throws SettingError for settings that leave each other without effect */
function checkTogether(options: TrainOptions): void {
  const { quality, gradient, adapter, store, resume } = options;
  if (gradient === "exact")
    refusePointless(
      "quality.every",
      quality?.every,
      words`${mention("gradient", "exact")}, with which it compares`,
    );
  if (adapter)
    for (const name of ["trainable", "frozen"] as const)
      refusePointless(
        name,
        options[name],
        words`${mention("adapter")}, which trains the adapters alone`,
        words`choose the adapted matrices instead (${mention("adapter.target")})`,
      );
  if (!store)
    for (const name of ["resume", "overwrite", "allowChanges"] as const)
      refusePointless(name, options[name], words`no ${mention("store")}`, "give a store, or leave it out");
  if (!resume)
    refusePointless(
      "allowChanges",
      options.allowChanges,
      words`a run that starts anew`,
      words`set ${mention("resume", true)}, or leave it out`,
    );
}
