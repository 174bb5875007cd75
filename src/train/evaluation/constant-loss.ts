/** What one answer to all examples loses, for losses of float targets. */
import { reserved } from "../../ad/names.ts";
import type { Examples } from "../../data/dataset.ts";
import { builderFor, type Loss } from "../../losses/loss.ts";
import { tensorOf } from "../../onnx/tensor.ts";
import { compileGraph } from "../../runtime/evaluate.ts";
import type { Runtime } from "../../runtime/runtime.ts";

/** Losses whose best constant prediction is a function of the targets' mean. */
const bestConstant: Readonly<Record<string, (mean: number) => number>> = {
  "mean-squared-error": (mean) => mean,
  // The logit, held where targets are all 0 or all 1.
  "binary-cross-entropy": (mean) => Math.log(Math.max(mean, 1e-6) / Math.max(1 - mean, 1e-6)),
};

/** The mean loss of answering the best constant at each place; undefined where the loss tells none. */
export async function constantLoss(
  loss: Loss,
  { labels, count }: Examples,
  indices: Uint32Array,
  runtime: Runtime,
): Promise<number | undefined> {
  const constantOf = Object.hasOwn(bestConstant, loss.name) ? bestConstant[loss.name] : undefined;
  if (!constantOf || indices.length === 0) return undefined;
  const size = labels.length / count;
  const targets = new Float32Array(indices.length * size);
  const means = new Float64Array(size);
  indices.forEach((index, row) => {
    for (let position = 0; position < size; position++) {
      const value = labels[index * size + position] as number;
      targets[row * size + position] = value;
      means[position] = (means[position] as number) + value / indices.length;
    }
  });
  const shape = [indices.length, size];
  const answers = Float32Array.from(targets, (_, position) => constantOf(means[position % size] as number));
  const g = await builderFor(loss, "answering a constant");
  const losses = loss.perExample(
    g,
    g.input("prediction", "float32", shape),
    g.input(reserved.target, "float32", shape),
  );
  const session = await compileGraph(
    runtime,
    g.build({ [reserved.loss]: g.reduceMean(losses, { keepdims: 0 }) }),
  );
  try {
    const prediction = tensorOf("float32", answers, shape);
    const results = await session.run({ prediction, [reserved.target]: tensorOf("float32", targets, shape) });
    return Number(results.loss?.data[0]);
  } finally {
    await session.release();
  }
}
