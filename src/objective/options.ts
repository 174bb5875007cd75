/** The options that say how a model is read and what of it is trained, each described once. */
import { isArrayOf } from "../arrays/kind.ts";
import type { Graph } from "../onnx/graph.ts";
import type { Model } from "../onnx/read-model.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { choice, isObject, names, numbers, text, toggle, value } from "../settings/option.ts";

// Functions say nothing of themselves, but what they chose is known.
export const byParameters = "the names of what is trained are in the description (parameters)";

/** How a model file is read, and which of its tensors are trained. */
export const readingOptions = {
  /** The model's input that examples feed. Default: the only one, or the first float one that is not filled. */
  input: text({ help: "input that the examples feed", otherwise: "the only one, or the first float one" }),
  /** Numbers that fill the model's other inputs, by name. */
  fill: numbers({}, { help: "number that fills another input; may be given several times" }),
  /** Sizes of open dimensions that do not follow from the data, by name or as "input.axis". */
  dimensions: numbers(
    { whole: true },
    {
      help:
        "size of an open dimension that is not the batch, by its name or as input.axis (state.1=8); may be given several " +
        "times",
      flag: "dim",
    },
  ),
  /** The value that the loss reads. Default: the model's first float output. */
  output: text({ help: "output that the loss reads", otherwise: "the first float one" }),
  /** Which stored tensors are trained. Default: all float ones on a differentiable path, constants excepted. */
  trainable: names({
    help: "which stored tensors are trained",
    otherwise: "all float ones on the way to the loss",
    exempt: byParameters,
  }),
  /** Takes stored tensors out of what is trained. Default: none. */
  frozen: names({
    help: "which stored tensors are left as they are",
    otherwise: "none",
    flag: "freeze",
    exempt: byParameters,
  }),
  /**
   * Trains the numbers of the model itself instead of copies, which saves their memory; with adapters, copies are trained
   * all the same. Default: only where `model` is bytes.
   */
  inPlace: {
    ...toggle<undefined>({ help: "train the model's own numbers", otherwise: "where the model is bytes" }),
    flag: false as const,
    default: undefined,
    exempt: "it says where numbers lie, not what they are",
  },
};

/** What BatchNormalization normalizes with: its stored statistics (default), or those of each batch. */
export const batchNormOption = choice(["frozen", "batch"], {
  help: "statistics that BatchNormalization uses",
  default: "frozen",
});

/** An ONNX file's bytes, a decoded model, or a graph from the builder. */
export const modelOption = value<Uint8Array | Model | Graph>(
  "an ONNX file's bytes (readFileSync(path)), a decoded model (loadModel(path)) or a graph from the builder",
  (given) => isArrayOf("Uint8Array", given) || (isObject(given) && Array.isArray(given.nodes)),
  { help: "what is trained", flag: false },
);

/** Runs the graphs. */
export const runtimeOption = value<Runtime>(
  "a runtime, such as nodeRuntime() of forwardgrad/node makes",
  (given) => isObject(given) && typeof given.createSession === "function",
  { help: "what graphs run on", flag: false },
);
