/** Measuring a model on examples: batch by batch, in a bare session. */
import { reserved } from "../../ad/names.ts";
import { isArrayOf } from "../../arrays/kind.ts";
import { readLabels } from "../../data/batches.ts";
import { type Examples, IGNORED_LABEL, targetShapeOf } from "../../data/dataset.ts";
import { SettingError } from "../../errors/errors.ts";
import type { Words } from "../../errors/words.ts";
import { builderFor, type Loss } from "../../losses/loss.ts";
import type { FinalActivation } from "../../objective/final-activation.ts";
import type { InputChoice } from "../../objective/model-inputs.ts";
import { checkTargets, describeOtherBatch } from "../../objective/targets.ts";
import type { Model } from "../../onnx/read-model.ts";
import { type Tensor, toNumbers } from "../../onnx/tensor.ts";
import { compileGraph } from "../../runtime/evaluate.ts";
import type { Runtime, Tensors } from "../../runtime/runtime.ts";
import { batchOf, openAskedModel } from "./asked-model.ts";
import { eachPosition } from "./positions.ts";
import type { Scores, ScoreTally } from "./score-tally.ts";

/** What an evaluation says. */
export interface Evaluation extends Scores {
  /** Mean over all that counts. */
  readonly loss: number;
  /** Share of what counts whose largest logit is the label's; undefined for float targets. */
  readonly accuracy: number | undefined;
  /** How many labels count; of float targets, how many examples. */
  readonly counted: number;
  /** What is worth saying about the value that the loss reads, in sentences. */
  readonly notes: readonly Words[];
}

/** What is measured, and on which examples. */
export interface EvaluateOptions extends InputChoice {
  /** The file that is run. */
  readonly model: Model;
  /** Replace the file's own values. */
  readonly parameters: Readonly<Record<string, Tensor>>;
  /** What it is measured on. */
  readonly examples: Examples;
  /** Which examples; default: all. */
  readonly indices?: Uint32Array;
  /** What is measured. */
  readonly loss: Loss;
  /** As in `compileObjective`. */
  readonly output?: string;
  /** What runs it. */
  readonly runtime: Runtime;
  /** True: the examples are known to fit. Default: they are checked first. */
  readonly isChecked?: boolean;
  /** Called between batches with the examples done so far. */
  readonly onProgress?: (done: number) => void;
}

/** Even, so that pairs stay whole. */
const openBatchSize = 500;

/** Opens a tally of predictions of this shape; axis: of the classes, undefined where targets are values. */
export type OpenTally = (
  loss: Loss,
  shape: readonly number[],
  axis: number | undefined,
  model: Model,
) => ScoreTally | undefined;

/**
 * As `evaluateModel`, of options that are known to be right.
 *
 * @param openTally what is counted beside loss and accuracy; default: nothing
 */
export async function measureModel(options: EvaluateOptions, openTally?: OpenTally): Promise<Evaluation> {
  const { examples } = options;
  // Of weighted losses, the mean is over weights.
  let weight = 0;
  const indices = options.indices ?? Uint32Array.from({ length: examples.count }, (_, index) => index);
  const model = await openAskedModel({
    ...options,
    batch: { atMost: Math.min(openBatchSize, indices.length) },
  });
  const { batch, output, activation } = model;
  const labels = labelBuffer(examples, batch);
  let measure: Measure | undefined;
  try {
    let [total, correct, counted] = [0, 0, 0];
    for (let start = 0; start < indices.length; start += batch) {
      const count = Math.min(batch, indices.length - start);
      const chosen = batchOf(indices, start, batch);
      readLabels(examples, chosen, labels);
      const results = await model.ask(examples, chosen);
      measure ??= await createMeasure(options, { output, activation, results }, batch, openTally);
      const prediction = results[measure.read] as Tensor;
      const tally = await measure.run(prediction, labels, count);
      total += tally.loss;
      correct += tally.correct;
      counted += tally.counted;
      weight += tally.weight;
      options.onProgress?.(start + count);
    }
    const hasClasses = isArrayOf("BigInt64Array", labels);
    return {
      loss: total / weight,
      accuracy: hasClasses ? correct / counted : undefined,
      counted,
      ...measure?.scores(total / weight),
      notes: activation && measure?.read === output ? [] : model.notes,
    };
  } finally {
    await model.release();
    await measure?.release();
  }
}

/** A buffer for the labels or targets of a batch. */
function labelBuffer({ labels, count }: Examples, batch: number): BigInt64Array | Float32Array {
  const size = (labels.length / count) * batch;
  return isArrayOf("Int32Array", labels) ? new BigInt64Array(size) : new Float32Array(size);
}

/** What the first `count` examples of a batch add: the sum of their losses, how many of them count, and how many are right. */
interface Measure {
  /** The value that the loss reads. */
  readonly read: string;
  run(
    prediction: Tensor,
    labels: BigInt64Array | Float32Array,
    count: number,
  ): Promise<{
    readonly loss: number;
    /** What the losses are divided by: how many count, or the sum of their weights. */
    readonly weight: number;
    readonly counted: number;
    readonly correct: number;
  }>;
  /** Of all that was run, whose mean loss is known. */
  scores(loss: number): Scores;
  release(): Promise<void>;
}

/** What the model gave for the first batch. */
interface FirstResults {
  readonly output: string;
  readonly activation: FinalActivation | undefined;
  readonly results: Tensors;
}

/** @throws when the examples do not fit the loss of such predictions */
async function createMeasure(
  { loss, examples, model, runtime, isChecked = false }: EvaluateOptions,
  { output, activation, results }: FirstResults,
  batch: number,
  openTally?: OpenTally,
): Promise<Measure> {
  const { dtype, shape } = results[output] as Tensor;
  const prediction = { name: output, dtype, shape };
  if (shape[0] !== batch) throw new SettingError(describeOtherBatch(prediction, batch), { option: "output" });
  const target = loss.target(prediction, targetShapeOf(examples));
  if (!isChecked) checkTargets({ loss, prediction, target }, examples, "the data");
  const axis = loss.classAxis?.(shape, target.shape);
  const shapeOf = (name: string) => results[name]?.shape ?? [];
  const read = activation?.valueBefore(shapeOf, axis) ?? output;
  const g = await builderFor(loss, "loss");
  const inputs = [
    g.input("prediction", dtype, shape),
    g.input(reserved.target, target.dtype, target.shape),
  ] as const;
  const sums = loss.perExample(g, ...inputs);
  const counts = loss.counts?.(g, ...inputs);
  const session = await compileGraph(runtime, g.build(counts ? { sums, counts } : { sums }));
  const tally = openTally?.(loss, shape, axis, model);
  return {
    read,
    scores: (mean) => tally?.scores(mean) ?? {},
    async run(values, labels, count) {
      const results = await session.run({
        prediction: values,
        [reserved.target]: { ...target, data: labels },
      });
      const sum = (tensor: Tensor | undefined) =>
        tensor
          ? toNumbers(tensor)
              .slice(0, count)
              .reduce((total, value) => total + value, 0)
          : count;
      const weight = sum(results.counts);
      tally?.addValues?.(values, labels, count);
      let correct = 0;
      let classed = 0;
      if (axis !== undefined && isArrayOf("BigInt64Array", labels))
        eachPosition(values, axis, labels, count, (label, best, logit) => {
          if (label === best) correct++;
          if (label !== IGNORED_LABEL) classed++;
          tally?.addClass?.(label, best, logit);
        });
      return { loss: sum(results.sums), weight, counted: axis === undefined ? weight : classed, correct };
    },
    release: () => session.release(),
  };
}
