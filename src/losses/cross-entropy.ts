/** Cross-entropy of class numbers. */
import { reserved } from "../ad/names.ts";
import { SettingError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";
import { formatShape, type Value } from "../onnx/graph.ts";
import { float32, holdsSameOrder, int64 } from "../onnx/tensor.ts";
import type { GraphBuilder } from "../ops/builder.ts";
import { cast, reshape } from "../ops/rules.ts";
import { named } from "../settings/named.ts";
import { type Given, number, whole } from "../settings/option.ts";
import { type ClassWeights, classWeightsOption, weightsOf } from "./class-weights.ts";
import type { LossRule } from "./loss.ts";

export const crossEntropyOptions = {
  /** Share of the target spread evenly over all classes, from 0 to below 1 (Szegedy et al., arXiv 1512.00567). */
  smoothing: number(
    { from: 0, below: 1 },
    { help: "share of the target that is spread over all classes", default: 0, known: ["labelSmoothing"] },
  ),
  /**
   * Axis of the classes. Default: the last one, or axis 1 as in PyTorch, whichever leaves the shape of the data's labels;
   * the last where that is not known.
   */
  classAxis: whole(undefined, {
    help: "axis of the classes in the output, counted from 0",
    otherwise: "the last, or 1, as the labels' shape has it",
  }),
  /**
   * How much each class weighs: a list, numbers by the classes' names (1 for all others), or `balanced`, by which all classes weigh the same
   * in sum. The mean is over weights, Σ w_y ℓ / Σ w_y, as PyTorch's with `weight`. Default: 1 each.
   */
  classWeights: classWeightsOption,
};

/** Options of `crossEntropy`. */
export type CrossEntropyOptions = Given<typeof crossEntropyOptions>;

/** Labels with this value do not count, as in PyTorch. */
export const ignoredLabel = -100;

/**
 * Cross-entropy of logits and class numbers: −Σ_c t_c log softmax(z)_c, and f is the mean over all positions of a batch
 * that are not ignored. Target: `labels`, int64 of the logits' shape without the class axis.
 *
 * @throws when the smoothing is not from 0 to below 1; when a graph is built, for logits that are not [batch, classes, …]
 */
export const crossEntropy = named("loss", "cross-entropy", crossEntropyOptions, (options): LossRule => {
  const { smoothing, classWeights } = options;
  /** w, along the class axis of logits; undefined where all classes weigh the same. */
  const emitWeights = (g: GraphBuilder, logits: Value, axis: number) => {
    if (classWeights === undefined) return undefined;
    const classes = logits.shape[axis] as number;
    const weights = weightsOf(classWeights, classes);
    if (!weights) throw wrongWeights(classWeights, classes);
    return cast(g, g.constant(float32(weights, along(logits, axis))), logits.dtype);
  };
  /** w of each label, as the losses; 0 where a label is ignored. */
  const emitCounts = (g: GraphBuilder, logits: Value, labels: Value) => {
    const axis = classAxis(logits.shape, labels.shape);
    const weights = emitWeights(g, logits, axis);
    const counted = countedPositions(g, logits, labels);
    if (!weights) return counted;
    return g.reduceSum(g.mul(chosenClasses(g, logits, labels, axis), weights), [axis], { keepdims: 0 });
  };
  const axesIn = (rank: number): number[] => {
    const { classAxis } = options;
    if (classAxis === undefined) return rank === 2 ? [1] : [rank - 1, 1];
    return [classAxis < 0 ? classAxis + rank : classAxis];
  };
  const classAxis = (logits: readonly number[], labels: readonly number[]) => {
    const axes = axesIn(logits.length);
    return axes.find((axis) => logits.toSpliced(axis, 1).join() === labels.join()) ?? (axes[0] as number);
  };
  return {
    contains: ["Softmax", "LogSoftmax"],
    classAxis,
    target: ({ name, shape }, given) => {
      if (shape.length < 2) {
        throw new SettingError(
          `Cross-entropy reads '${name}' of shape ${formatShape(shape)}, expected [batch, classes]; for one number an ` +
            "example use binary-cross-entropy or mean-squared-error.",
          { option: "loss" },
        );
      }
      const axes = axesIn(shape.length);
      if (axes.some((axis) => !(axis >= 1 && axis < shape.length))) {
        throw new SettingError(
          `Cross-entropy reads '${name}' of shape ${formatShape(shape)}, and its class axis is ${options.classAxis}; expected ` +
            `an axis from 1 to ${shape.length - 1}.`,
          { option: "loss.classAxis" },
        );
      }
      const fitting = axes.filter(
        (axis) => given && holdsSameOrder(shape.slice(1).toSpliced(axis - 1, 1), given),
      );
      if (fitting.length > 1) {
        throw new SettingError(
          words`Cross-entropy reads '${name}' of shape ${formatShape(shape)}, and labels of shape
            ${formatShape([shape[0], ...(given ?? [])])} fit classes on axis ${fitting.join(" and on axis ")}; say
            which one it is (${option("loss.classAxis", null)}).`,
          { option: "loss.classAxis" },
        );
      }
      const axis = fitting[0] ?? (axes[0] as number);
      return { name: reserved.labels, dtype: "int64", shape: shape.toSpliced(axis, 1) };
    },
    perExample: (g, logits, labels) => {
      const axis = classAxis(logits.shape, labels.shape);
      const classes = logits.shape[axis] as number;
      const chosen = chosenClasses(g, logits, labels, axis);
      const targets = smoothing === 0 ? chosen : g.add(g.mul(chosen, 1 - smoothing), smoothing / classes);
      const classWeight = emitWeights(g, logits, axis);
      const weights = classWeight ? g.mul(targets, classWeight) : targets;
      const losses = g.neg(
        g.reduceSum(g.mul(g.logSoftmax(logits, { axis }), weights), [axis], { keepdims: 0 }),
      );
      return sumPerExample(g, g.mul(losses, countedPositions(g, logits, labels)));
    },
    counts: (g, logits, labels) => sumPerExample(g, emitCounts(g, logits, labels)),
  };
});

/** The shape in which numbers of the classes lie along the class axis of logits. */
function along({ shape }: Value, axis: number): number[] {
  return shape.map((size, position) => (position === axis ? size : 1));
}

/** 1 at the class of each label, 0 at all others. */
function chosenClasses(g: GraphBuilder, logits: Value, labels: Value, axis: number): Value {
  const numbers = Array.from({ length: logits.shape[axis] as number }, (_, index) => index);
  const order = g.constant(int64(numbers, along(logits, axis)));
  return cast(g, g.equal(g.unsqueeze(labels, [axis]), order), logits.dtype);
}

function wrongWeights(given: ClassWeights, classes: number): SettingError {
  const what = Array.isArray(given)
    ? `are ${given.length} numbers`
    : `(${JSON.stringify(given)}) follow from data`;
  return new SettingError(
    words`${option("loss.classWeights")} ${what}, and the output has ${classes} classes; give one number for each (or train
      with train, evaluateModel or the command line, which know the data).`,
    { option: "loss.classWeights" },
  );
}

/** 1 where a label counts, 0 where it is ignored. */
function countedPositions(g: GraphBuilder, logits: Value, labels: Value): Value {
  return cast(g, g.not(g.equal(labels, ignoredLabel)), logits.dtype);
}

/** The sum over everything but the first axis: [batch, …] → [batch]. */
function sumPerExample(g: GraphBuilder, values: Value): Value {
  const axes = values.shape.slice(1).map((_, index) => index + 1);
  if (axes.length === 0) return values;
  return reshape(g, g.reduceSum(values, axes, { keepdims: 0 }), [values.shape[0] as number]);
}
