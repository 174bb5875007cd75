import { isArrayOf } from "../arrays/kind.ts";
import { readBatch } from "../data/batches.ts";
import type { Examples } from "../data/dataset.ts";
import { attachLoss, type Loss } from "../losses/loss.ts";
import type { Model } from "../onnx/decode.ts";
import { encodeModel } from "../onnx/encode.ts";
import type { Tensor } from "../onnx/tensor.ts";
import { GraphBuilder } from "../ops/builder.ts";
import { compileGraph } from "../runtime/evaluate.ts";
import type { Runtime, Session } from "../runtime/runtime.ts";
import { batchInputs, exampleInput, type InputChoice } from "./model-inputs.ts";

export interface Evaluation {
  /** Mean of ℓ_b over all examples. */
  readonly loss: number;
  /** Share of examples whose largest logit is the label's; undefined for float targets. */
  readonly accuracy: number | undefined;
}

export interface EvaluateOptions extends InputChoice {
  readonly model: Model;
  /** Replace the file's own values. */
  readonly parameters: Readonly<Record<string, Tensor>>;
  readonly examples: Examples;
  /** Which examples; default: all. */
  readonly indices?: Uint32Array;
  readonly loss: Loss;
  readonly output: string;
  readonly runtime: Runtime;
  /** Called between batches with the examples done so far. */
  readonly onProgress?: (done: number) => void;
}

const openBatchSize = 500;

/**
 * Measures a model on examples, by running the very file that would be saved, in a bare session.
 */
export async function evaluateModel(options: EvaluateOptions): Promise<Evaluation> {
  const { model, examples, runtime } = options;
  const indices = options.indices ?? Uint32Array.from({ length: examples.count }, (_, index) => index);
  const input = exampleInput(model, examples, options);
  const fixed = model.inputs.find(({ name }) => name === input.name)?.dimensions[0];
  const batch = typeof fixed === "number" ? fixed : Math.min(openBatchSize, indices.length);
  const inputs = batchInputs(model, input, batch, options.fill);
  const session = await runtime.createSession(
    encodeModel(model, new Map(Object.entries(options.parameters))),
  );
  let lossSession: Session | undefined;
  try {
    let [total, correct, counted] = [0, 0, 0];
    for (let start = 0; start < indices.length; start += batch) {
      const count = Math.min(batch, indices.length - start);
      // The last batch is filled up with its first example, whose copies are not counted.
      const chosen = Uint32Array.from(
        { length: batch },
        (_, place) => indices[start + (place < count ? place : 0)] as number,
      );
      const labels = labelsFor(examples, batch);
      readBatch(examples, chosen, 0, batch, inputs.values, labels.data);
      inputs.written();
      const result = await session.run(inputs.tensors, [options.output]);
      const prediction = result[options.output] as Tensor;
      lossSession ??= await compileGraph(runtime, lossGraph(options.loss, prediction));
      const { losses } = await lossSession.run({ prediction, labels, target: labels });
      for (let place = 0; place < count; place++) total += Number(losses?.data[place]);
      if (isArrayOf("BigInt64Array", labels.data)) {
        const tally = countCorrect(prediction, labels.data, count);
        correct += tally.correct;
        counted += tally.counted;
      }
      options.onProgress?.(start + count);
    }
    return { loss: total / indices.length, accuracy: counted > 0 ? correct / counted : undefined };
  } finally {
    await session.release();
    await lossSession?.release();
  }
}

/** A batch of targets: class numbers, or float targets. */
export function labelsFor(
  examples: Examples,
  batch: number,
): Tensor & { readonly data: BigInt64Array | Float32Array } {
  if (isArrayOf("Int32Array", examples.labels)) {
    const perExample = examples.labels.length / examples.count;
    const shape = perExample === 1 ? [batch] : [batch, perExample];
    return { dtype: "int64", shape, data: new BigInt64Array(batch * perExample) };
  }
  const size = examples.labels.length / examples.count;
  return { dtype: "float32", shape: [batch, size], data: new Float32Array(batch * size) };
}

function lossGraph(loss: Loss, prediction: Tensor) {
  const g = new GraphBuilder("loss");
  const value = g.input("prediction", "float32", prediction.shape);
  const graph = { ...g.snapshot(), outputs: [value] };
  const attached = attachLoss(graph, loss, "prediction");
  return { ...attached, outputs: attached.outputs.filter((output) => output.name === "losses") };
}

function countCorrect(prediction: Tensor, labels: BigInt64Array, count: number) {
  const classes = prediction.shape.at(-1) as number;
  const positions = labels.length / (prediction.shape[0] as number);
  const logits = prediction.data as Float32Array;
  let [correct, counted] = [0, 0];
  for (let row = 0; row < count * positions; row++) {
    const label = Number(labels[row]);
    if (label < 0) continue;
    let best = 0;
    for (let place = 1; place < classes; place++)
      if ((logits[row * classes + place] as number) > (logits[row * classes + best] as number)) best = place;
    counted++;
    if (best === label) correct++;
  }
  return { correct, counted };
}
