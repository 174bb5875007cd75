import type { Examples } from "../data/dataset.ts";
import type { Limits } from "../limits/limits.ts";
import type { Model } from "../onnx/decode.ts";
import type { Graph } from "../onnx/graph.ts";
import type { Tensor } from "../onnx/tensor.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { RunStore } from "../storage/run-store.ts";
import type { ExampleArrays } from "./example-arrays.ts";
import type { TrainSettings } from "./prepare.ts";

/** What `train` is given: model, examples and engine, what is kept of the run, and all settings. */
export interface TrainOptions extends TrainSettings, ExampleArrays {
  /** An ONNX file's bytes, a decoded model, or a graph from the builder. */
  readonly model: Uint8Array | Model | Graph;
  /** What a model given as bytes may ask for, where it is other than `defaultLimits`. */
  readonly limits?: Partial<Limits>;
  /** Training examples, of which a validation part is split off; or give `inputs` and `labels`. */
  readonly examples?: Examples;
  /** Test examples, used once, at the end. */
  readonly test?: Examples;
  /** What runs the graphs: `nodeRuntime()` of `forwardgrad/node`. */
  readonly runtime: Runtime;
  /** Keeps configuration, metrics, checkpoints and the trained model; default: nothing is kept. */
  readonly store?: RunStore;
  /** Goes on from the store's checkpoint where there is one. */
  readonly resume?: boolean;
  /** Starts anew in a store that holds a run, or files of the names of a run's: these are removed first. Not with `resume`. */
  readonly overwrite?: boolean;
  /** Lets a resumed run change device, threads, chunk and runtime version, and go on without metrics that were lost. */
  readonly allowChanges?: boolean;
  /** Ends the run after the current step, with a checkpoint. */
  readonly signal?: AbortSignal;
  /** Seconds between checkpoints; one more is written after each epoch. Default 10. */
  readonly checkpointSeconds?: number;
  /** Draws of the tangents over which the gradient's quality is measured at the end. Default 0: not measured. */
  readonly qualityDraws?: number;
}

/** The options of a run whose model is decoded and whose examples are known. */
export interface RunOptions extends TrainOptions {
  readonly model: Model;
  readonly examples: Examples;
  /** The file that trained adapters are merged into, and how. Default: the model is saved as it was trained. */
  readonly merge?: {
    readonly into: Model;
    values(trained: Readonly<Record<string, Tensor>>): Map<string, Tensor>;
  };
}
