/** A model's predictions of inputs as a page sends them. */
import { readBatch } from "../data/batches.ts";
import type { Examples } from "../data/dataset.ts";
import { DataError } from "../errors/errors.ts";
import { floatOutput } from "../objective/importing/import-model.ts";
import { batchInputs, exampleInput } from "../objective/model-inputs.ts";
import { decodeModel } from "../onnx/decode.ts";
import { type Tensor, tensorOf, toNumbers } from "../onnx/tensor.ts";
import { encodeModelForRuntime } from "../runtime/evaluate.ts";
import type { RunOptions } from "../train/settings/run-settings.ts";

const openBatchSize = 250;

/** Runs one model. */
export interface Predictor {
  /** @param inputs [count, …shape of an example], flat @returns what the loss reads, [count, …] */
  predict(inputs: Uint8Array | Float32Array): Promise<Tensor>;
  release(): Promise<void>;
}

/** @param file an ONNX file, which a run with these options trains */
export async function openPredictor(file: Uint8Array, options: RunOptions): Promise<Predictor> {
  const { runtime, examples, fill } = options;
  const model = decodeModel(file);
  const output = options.output ?? floatOutput(model);
  const input = exampleInput(model, examples, options);
  const fixed = model.inputs.find(({ name }) => name === input.name)?.dimensions?.[0];
  const session = await runtime.createSession(encodeModelForRuntime(model, new Map()));
  return {
    async predict(inputs) {
      const given = asExamples(inputs, examples.shape);
      const batch = typeof fixed === "number" ? fixed : Math.min(openBatchSize, given.count);
      const buffers = batchInputs(model, input, batch, fill);
      const parts: Tensor[] = [];
      for (let start = 0; start < given.count; start += batch) {
        // The last batch is filled up with its last example.
        const rows = Uint32Array.from({ length: batch }, (_, row) => Math.min(start + row, given.count - 1));
        readBatch(given, rows, 0, batch, buffers.values, new BigInt64Array(batch));
        buffers.written();
        parts.push((await session.run(buffers.tensors, [output]))[output] as Tensor);
      }
      return firstRows(parts, given.count);
    },
    release: () => session.release(),
  };
}

function asExamples(inputs: Uint8Array | Float32Array, shape: readonly number[]): Examples {
  const size = shape.reduce((product, each) => product * each, 1);
  const count = inputs.length / size;
  if (!Number.isInteger(count) || count === 0) {
    throw new DataError(
      `predict takes examples of shape [${shape.join(", ")}], ${size} numbers each, received ${inputs.length} numbers; ` +
        "give whole examples, one after the other, at least one.",
    );
  }
  return { count, shape, inputs, labels: new Int32Array(count) };
}

/** The first `count` rows of batches, [count, …]. */
function firstRows(parts: readonly Tensor[], count: number): Tensor {
  const { dtype, shape } = parts[0] as Tensor;
  const each = shape.slice(1);
  const size = each.reduce((product, length) => product * length, count);
  const numbers = parts.flatMap((part) => Array.from(toNumbers(part)));
  return tensorOf(dtype, numbers.slice(0, size), [count, ...each]);
}
