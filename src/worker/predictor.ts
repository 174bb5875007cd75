/** A model's predictions of inputs as a page sends them. */
import { decodeModel } from "../onnx/decode.ts";
import { type Tensor, tensorOf, toNumbers } from "../onnx/tensor.ts";
import { batchOf, openAskedModel } from "../train/evaluation/asked-model.ts";
import { inputsFor } from "../train/example-arrays.ts";
import type { RunOptions } from "../train/settings/run-settings.ts";
import type { AskedInputs } from "./messages.ts";

const openBatchSize = 250;

/** Runs one model. */
export interface Predictor {
  /** @param inputs [count, …shape of an example], flat, or examples @returns what the loss reads, [count, …] */
  predict(inputs: AskedInputs): Promise<Tensor>;
  release(): Promise<void>;
}

/** @param file an ONNX file, which a run with these options trains */
export async function openPredictor(file: Uint8Array, options: RunOptions): Promise<Predictor> {
  const model = decodeModel(file);
  const { shape } = options.examples;
  const asked = await openAskedModel({ ...options, model, parameters: {}, batch: openBatchSize });
  return {
    async predict(inputs) {
      const given = ArrayBuffer.isView(inputs) ? { inputs, shape } : inputs;
      const examples = await inputsFor(model, given, { input: options.input, option: "inputs" });
      const all = Uint32Array.from({ length: examples.count }, (_, index) => index);
      const parts: Tensor[] = [];
      for (let start = 0; start < examples.count; start += asked.batch) {
        const results = await asked.ask(examples, batchOf(all, start, asked.batch));
        parts.push(results[asked.output] as Tensor);
      }
      return firstRows(parts, examples.count);
    },
    release: () => asked.release(),
  };
}

/** The first `count` rows of batches, [count, …]. */
function firstRows(parts: readonly Tensor[], count: number): Tensor {
  const { dtype, shape } = parts[0] as Tensor;
  const each = shape.slice(1);
  const size = each.reduce((product, length) => product * length, count);
  const numbers = parts.flatMap((part) => Array.from(toNumbers(part)));
  return tensorOf(dtype, numbers.slice(0, size), [count, ...each]);
}
