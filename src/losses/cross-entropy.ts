import { int64 } from "../onnx/tensor.ts";
import { cast, reshape } from "../ops/rules.ts";
import type { Loss } from "./loss.ts";

export interface CrossEntropyOptions {
  /** Share of the target spread evenly over all classes, from 0 to 1 (Szegedy et al., arXiv 1512.00567). Default 0. */
  readonly smoothing?: number;
  /** Axis of the classes. Default: the last. */
  readonly classAxis?: number;
}

/** Labels with this value do not count, as in PyTorch. */
export const ignoredLabel = -100;

/**
 * Cross-entropy of logits and class numbers: ℓ_b = −Σ_c t_c log softmax(z)_c, averaged over an example's positions that
 * are not ignored. Target: `labels`, int64 of the logits' shape without the class axis.
 */
export function crossEntropy(options: CrossEntropyOptions = {}): Loss {
  const smoothing = options.smoothing ?? 0;
  if (!(smoothing >= 0 && smoothing < 1)) {
    throw new Error(`Label smoothing must be from 0 to below 1, received ${smoothing}.`);
  }
  const axisIn = (rank: number) => {
    const axis = options.classAxis ?? -1;
    return axis < 0 ? axis + rank : axis;
  };
  return {
    name: "cross-entropy",
    target: ({ name, shape }) => {
      if (shape.length < 2) {
        throw new Error(
          `Cross-entropy reads '${name}' of shape [${shape.join(", ")}], expected [batch, classes].`,
        );
      }
      return { name: "labels", dtype: "int64", shape: shape.toSpliced(axisIn(shape.length), 1) };
    },
    perExample: (g, logits, labels) => {
      const axis = axisIn(logits.shape.length);
      const classes = logits.shape[axis] as number;
      const numbers = g.constant(
        int64(
          Array.from({ length: classes }, (_, index) => index),
          logits.shape.map((_, place) => (place === axis ? classes : 1)),
        ),
      );
      const chosen = cast(g, g.equal(g.unsqueeze(labels, [axis]), numbers), logits.dtype);
      const weights = smoothing === 0 ? chosen : g.add(g.mul(chosen, 1 - smoothing), smoothing / classes);
      const losses = g.neg(
        g.reduceSum(g.mul(g.logSoftmax(logits, { axis }), weights), [axis], { keepdims: 0 }),
      );
      const counts = cast(g, g.not(g.equal(labels, ignoredLabel)), logits.dtype);
      const counted = g.mul(losses, counts);
      if (labels.shape.length === 1) return counted;
      const axes = labels.shape.slice(1).map((_, place) => place + 1);
      const total = g.reduceSum(counted, axes, { keepdims: 0 });
      const positions = g.max(g.reduceSum(counts, axes, { keepdims: 0 }), 1);
      return reshape(g, g.div(total, positions), [labels.shape[0] as number]);
    },
  };
}
