/** What a page and the worker that trains for it say to each other. */

import type { PlainError } from "../errors/plain-errors.ts";
import type { HeadOptions } from "../objective/heads/head-options.ts";
import type { Graph } from "../onnx/graph.ts";
import type { Model } from "../onnx/read-model.ts";
import type { Tensor } from "../onnx/tensor.ts";
import type { WebRuntimeOptions } from "../runtime/web.ts";
import type { NamedFile } from "../storage/open-model.ts";
import type { TrainEvent } from "../train/events.ts";
import type { UnlabelledExamples } from "../train/example-arrays.ts";
import type { TrainOptions } from "../train/settings/options.ts";

/** A model that the worker opens: its page need not read it. */
export interface ModelFiles {
  /** The .onnx file, and its data files, as `openModel` takes them: `File`s of a page. */
  readonly files: readonly NamedFile[];
  /** A new head on it, as `withHead` puts it. Default: none. */
  readonly head?: HeadOptions;
}

/** What a worker can be asked to train: the options of `train` as plain data, which a message can hold. */
export interface WorkerTrainOptions extends Omit<TrainOptions, "runtime" | "store" | "model"> {
  /** An ONNX file's bytes, a graph from the builder, a decoded model, or the files of one, which the worker opens. */
  readonly model: Uint8Array | Model | Graph | ModelFiles;
  /** How the worker's engine computes; default: on WebAssembly. */
  readonly runtime?: WebRuntimeOptions;
  /** The name of an `opfsStore` in which the run is kept. Default: nothing is kept. */
  readonly store?: string;
}

/** One step of a run. */
export type StepEvent = Extract<TrainEvent, { kind: "step" }>;

/** What a model makes of inputs. */
export interface Predictions {
  /** The model's output that the loss reads, [count, …]. */
  readonly outputs: Tensor;
  /** The steps that the model has been trained for. */
  readonly step: number;
}

/** Flat inputs, [count, …shape of an example], where bytes are pixels and stand for value / 255; or examples, for a model of several inputs. */
export type AskedInputs = Uint8Array | Float32Array | UnlabelledExamples;

/** To the worker; `run` names the run that is meant. */
export type Request = { readonly run: string } & (
  | { readonly kind: "train"; readonly options: Omit<WorkerTrainOptions, "signal"> }
  /** Ends the run after the current step, with a checkpoint. */
  | { readonly kind: "stop" }
  | { readonly kind: "predict"; readonly id: number; readonly inputs: AskedInputs }
);

/** A request as it is said before it is known for which run. */
export type WithoutRun<One> = One extends unknown ? Omit<One, "run"> : never;

/** From the worker. */
export type Reply = {
  readonly run: string;
} /** The worker holds the lock `lockName(run)` for as long as it lives; false where there are no locks. */ & (
  | { readonly kind: "alive"; readonly isLocked: boolean }
  | Exclude<TrainEvent, StepEvent>
  /** Steps since the last message. */
  | { readonly kind: "steps"; readonly events: readonly StepEvent[] }
  | ({ readonly kind: "predictions"; readonly id: number } & Predictions)
  /** What ended the run, or where an `id` is given, answers that prediction. */
  | { readonly kind: "error"; readonly error: PlainError; readonly id?: number }
);
