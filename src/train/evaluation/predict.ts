/** What a model says of examples: classes with their probabilities, truths, or values. */
import { SettingError } from "../../errors/errors.ts";
import type { Words } from "../../errors/words.ts";
import { crossEntropy } from "../../losses/cross-entropy.ts";
import type { Loss } from "../../losses/loss.ts";
import { modelFrom } from "../../objective/importing/model-file.ts";
import { knownData } from "../../objective/model-data.ts";
import type { InputChoice } from "../../objective/model-inputs.ts";
import { lossOption } from "../../objective/objective-options.ts";
import { modelOption, readingOptions, runtimeOption } from "../../objective/options.ts";
import { describeOtherBatch } from "../../objective/targets.ts";
import type { Graph } from "../../onnx/graph.ts";
import type { Model } from "../../onnx/read-model.ts";
import { elementCount, type Tensor } from "../../onnx/tensor.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { checkOptions } from "../../settings/check.ts";
import { requireOptions } from "../../settings/needs.ts";
import { value, whole } from "../../settings/option.ts";
import { inputsFor, type UnlabelledExamples } from "../example-arrays.ts";
import { newName } from "../settings/resolve.ts";
import { type AskedModel, batchOf, openAskedModel } from "./asked-model.ts";
import { assumedLoss } from "./assumed-loss.ts";

/** What is predicted, and of what. */
export interface PredictOptions extends InputChoice {
  /** An ONNX file's bytes, a decoded model, or a graph from the builder. */
  readonly model: Uint8Array | Model | Graph;
  /**
   * A dataset's examples or plain arrays, { inputs }, without labels or with some that are left alone; or parts of them one after
   * the other, from anything that can be iterated, also asynchronously: what is read later is not kept.
   */
  readonly examples: UnlabelledExamples | AsyncIterable<UnlabelledExamples> | Iterable<UnlabelledExamples>;
  /**
   * What the model was trained with, which says what its output means: classes for losses that count classes, truths for
   * binary cross-entropy, otherwise values. Default: what the file says of itself: the names of its classes or the targets' mean
   * that training wrote into it, a Softmax or Sigmoid at its end, one number an example (values), and otherwise classes.
   */
  readonly loss?: Loss;
  /** The output that is read. Default: the model's first float output. */
  readonly output?: string;
  /** Names of the classes, in the order of their numbers. Default: those in the file. */
  readonly classNames?: readonly string[];
  /** Examples of a batch, where the model leaves that open. Default 64. */
  readonly batch?: number;
  /** What runs the model. */
  readonly runtime: Runtime;
  /** Called once, after the first batch, with what is worth saying about the output. */
  readonly onNotes?: (notes: readonly Words[]) => void;
}

/**
 * What a model says of one example, whose number from 0 is `index`.
 *
 * class: the likeliest class `label`, its `className` where it is known, and the `probabilities` of all classes, [classes].
 * positions: the likeliest class at each position, `labels`, in the `shape` of the example's positions, and the
 * `probabilities`, [positions, classes]. truths: the `probabilities` that each output is true, in the `shape` of one example's output.
 * values: the predicted `values` in the units of the targets, in the `shape` of one example's output.
 */
export type Prediction =
  | {
      readonly kind: "class";
      readonly index: number;
      readonly label: number;
      readonly className: string | undefined;
      readonly probabilities: Float32Array;
    }
  | {
      readonly kind: "positions";
      readonly index: number;
      readonly labels: Int32Array;
      readonly shape: readonly number[];
      readonly probabilities: Float32Array;
    }
  | {
      readonly kind: "truths";
      readonly index: number;
      readonly shape: readonly number[];
      readonly probabilities: Float32Array;
    }
  | {
      readonly kind: "values";
      readonly index: number;
      readonly shape: readonly number[];
      readonly values: Float32Array;
    };

const { input, fill, dimensions, output } = readingOptions;

const predictOptions = {
  ...{ input, fill, dimensions, output },
  model: modelOption,
  examples: value<PredictOptions["examples"]>(
    "examples, { inputs }, or something that yields such parts",
    (given) => typeof given === "object" && given !== null && !ArrayBuffer.isView(given),
    { known: ["inputs"] },
  ),
  loss: lossOption,
  classNames: value<readonly string[]>(
    "a list of names",
    (given) => Array.isArray(given) && given.every((name) => typeof name === "string"),
    {},
  ),
  batch: whole(1, { default: 64, known: ["batchSize"] }),
  runtime: runtimeOption,
  onNotes: value<(notes: readonly Words[]) => void>("a function", (given) => typeof given === "function", {}),
};

/**
 * Yields what a model says of each example, in their order, batch by batch: at most one batch is kept, and of examples that come in
 * parts, one part.
 *
 * @throws SettingError for an unknown option or a wrong value; DataError for examples that do not fit the model
 * @example
 * for await (const said of predict({ model, examples: { inputs }, runtime })) if (said.kind === "class") console.log(said.label);
 */
export async function* predict(options: PredictOptions): AsyncGenerator<Prediction, void> {
  const given: Readonly<Record<string, unknown>> = { ...options };
  const advice = (name: string) => newName(name, given[name], predictOptions);
  checkOptions(predictOptions, options, { of: "predict", advice });
  requireOptions("predict", predictOptions, options, ["model", "examples", "runtime"]);
  const model = await modelFrom(options.model);
  const classNames = options.classNames ?? knownData(model).classNames;
  const read = { input: options.input, option: "examples" };
  let asked: { readonly model: AskedModel; readonly loss: Loss; readonly shape: string } | undefined;
  let meaning: Meaning | undefined;
  let index = 0;
  try {
    for await (const part of partsOf(options.examples)) {
      const examples = await inputsFor(model, part, read);
      const shape = examples.shape.join("×");
      if (asked === undefined) {
        const loss = options.loss ?? (await assumedLoss(model, options.output));
        const batch = options.batch ?? Math.min(predictOptions.batch.default, examples.count);
        const own = { ...options, model, parameters: {}, examples, loss, batch };
        asked = { model: await openAskedModel(own), loss, shape };
      }
      if (asked.shape !== shape) {
        throw new SettingError(
          `predict: a part of the examples has the shape ${shape}, and the first one ${asked.shape}; give all parts one shape.`,
          { option: "examples" },
        );
      }
      const { batch } = asked.model;
      const all = Uint32Array.from({ length: examples.count }, (_, position) => position);
      for (let start = 0; start < examples.count; start += batch) {
        const results = await asked.model.ask(examples, batchOf(all, start, batch));
        if (meaning === undefined) {
          const wanted = {
            loss: asked.loss,
            isAssumed: options.loss === undefined,
            classes: classNames?.length,
          };
          meaning = meaningOf(asked.model, results, wanted);
          options.onNotes?.(meaning.read === asked.model.output ? asked.model.notes : []);
        }
        const prediction = results[meaning.read] as Tensor;
        for (let row = 0; row < Math.min(batch, examples.count - start); row++)
          yield { index: index++, ...meaning.ofExample(prediction, row, classNames) };
      }
    }
  } finally {
    await asked?.model.release();
  }
}

async function* partsOf(examples: PredictOptions["examples"]): AsyncGenerator<UnlabelledExamples, void> {
  if (Symbol.asyncIterator in examples || Symbol.iterator in examples) yield* examples;
  else yield examples;
}

type Said = Prediction extends infer Each ? (Each extends unknown ? Omit<Each, "index"> : never) : never;

/** What the numbers of an output mean. */
interface Meaning {
  /** The value that is read: the output, or the one before its last activation. */
  readonly read: string;
  /** What the numbers of one example in a batch say. */
  ofExample(prediction: Tensor, row: number, names: readonly string[] | undefined): Said;
}

/** What is known of an output before it is seen. */
interface Wanted {
  readonly loss: Loss;
  /** Whether nobody said what it means. */
  readonly isAssumed: boolean;
  /** How many classes there are, where that is known. */
  readonly classes: number | undefined;
}

function meaningOf(
  { output, activation, batch }: AskedModel,
  results: Readonly<Record<string, Tensor>>,
  { loss: given, isAssumed, classes: known }: Wanted,
): Meaning {
  const { dtype, shape } = results[output] as Tensor;
  if (shape[0] !== batch) {
    throw new SettingError(describeOtherBatch({ name: output, shape }, batch), { option: "output" });
  }
  const size = elementCount(shape.slice(1));
  const own = shape.slice(1);
  const numbers = ({ data }: Tensor, row: number) =>
    Float32Array.from(data.subarray(row * size, (row + 1) * size) as Float32Array);
  const isOne = isAssumed && activation === undefined && size === 1;
  const loss = withClassAxis(given, shape, known);
  const target = isOne ? undefined : loss.target({ name: output, dtype, shape });
  const axis = target && loss.classAxis?.(shape, target.shape);
  const shapeOf = (name: string) => results[name]?.shape ?? [];
  const read = activation?.valueBefore(shapeOf, axis) ?? output;
  if (axis === undefined) {
    if (isOne || !loss.contains?.includes("Sigmoid"))
      return {
        read,
        ofExample: (prediction, row) => ({ kind: "values", shape: own, values: numbers(prediction, row) }),
      };
    return {
      read,
      ofExample: (prediction, row) => {
        const probabilities = numbers(prediction, row).map((logit) => 1 / (1 + Math.exp(-logit)));
        return { kind: "truths", shape: own, probabilities };
      },
    };
  }
  const classes = shape[axis] as number;
  const positions = own.toSpliced(axis - 1, 1);
  return {
    read,
    ofExample(prediction, row, names) {
      const probabilities = softmax(numbers(prediction, row), elementCount(shape.slice(axis + 1)), classes);
      const labels = Int32Array.from({ length: size / classes }, (_, position) =>
        largest(probabilities.subarray(position * classes, (position + 1) * classes)),
      );
      if (positions.length > 0) return { kind: "positions", labels, shape: positions, probabilities };
      const label = labels[0] as number;
      return { kind: "class", label, className: names?.[label], probabilities };
    },
  };
}

/**
 * Cross-entropy whose labels do not tell on which axis the classes lie: the first or the last that has as many entries as there are
 * classes, and where that is not known or both do, the first of pictures, [batch, classes, height, width], and else the last.
 */
function withClassAxis(loss: Loss, shape: readonly number[], classes: number | undefined): Loss {
  if (loss.name !== "cross-entropy" || typeof loss.config?.classAxis === "number") return loss;
  if (shape.length < 3) return loss;
  const usual = shape.length >= 4 ? [1, shape.length - 1] : [shape.length - 1, 1];
  const classAxis = usual.find((axis) => shape[axis] === classes) ?? (usual[0] as number);
  return crossEntropy({ classAxis });
}

/** Probabilities [outer·inner, classes] of logits [outer, classes, inner]. */
function softmax(logits: Float32Array, inner: number, classes: number): Float32Array {
  const out = new Float32Array(logits.length);
  for (let position = 0; position < logits.length / classes; position++) {
    const first = Math.floor(position / inner) * classes * inner + (position % inner);
    const own = Float64Array.from({ length: classes }, (_, index) => logits[first + index * inner] as number);
    const most = own.reduce((a, b) => Math.max(a, b));
    const powers = own.map((logit) => Math.exp(logit - most));
    const total = powers.reduce((a, b) => a + b);
    for (const [index, power] of powers.entries()) out[position * classes + index] = power / total;
  }
  return out;
}

function largest(values: Float32Array): number {
  let best = 0;
  for (const [index, each] of values.entries()) if (each > (values[best] as number)) best = index;
  return best;
}
