/** Tokens and positions that a model's tables have no rows for: a BERT of transformers (`test/cases/texts/make_model.py`). */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { withHead } from "../src/objective/heads/with-head.ts";
import { modelFrom } from "../src/objective/importing/model-file.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { evaluateModel } from "../src/train/evaluation/evaluate-model.ts";
import { predict } from "../src/train/evaluation/predict.ts";
import { train } from "../src/train/train.ts";

const bytes = new Uint8Array(readFileSync(join(import.meta.dirname, "cases", "texts", "encoder.onnx")));
const model = await withHead(await modelFrom(bytes), { outputs: 2 });
const runtime = nodeRuntime({ threads: 1 });

function examples(length: number, other: { readonly at: number; readonly token: number } | undefined) {
  const count = 16;
  const ids = new Int32Array(count * length).fill(5);
  if (other) ids[other.at] = other.token;
  const ones = new Int32Array(count * length).fill(1);
  return {
    inputs: { input_ids: ids, attention_mask: ones, token_type_ids: new Int32Array(count * length) },
    labels: Int32Array.from({ length: count }, (_, at) => at % 2),
    count,
  };
}

describe("a token beyond the vocabulary", () => {
  const message =
    /input 'input_ids' of example 9 holds 150, and Gather node .* table of 150 rows; expected numbers up to 149/;

  it("is named in training, in a stream, in an evaluation and in a prediction", async () => {
    const wrong = examples(8, { at: 9 * 8 + 3, token: 150 });
    const drain = async (events: AsyncIterable<unknown>) => {
      for await (const _ of events);
    };
    const base = { model, runtime, batch: 8, epochs: 1, validation: 0 };
    await expect(drain(train({ ...base, examples: wrong }))).rejects.toThrow(message);
    const stream = function* () {
      for (let row = 0; row < 16; row++) {
        const own = Object.entries(wrong.inputs).map(([name, all]) => [
          name,
          [...all.subarray(8 * row, 8 * row + 8)],
        ]);
        yield { inputs: Object.fromEntries(own) as Record<string, number[]>, labels: row % 2 };
      }
    };
    await expect(drain(train({ ...base, examples: { stream } }))).rejects.toThrow(message);
    const { input_ids: inputs, ...others } = wrong.inputs;
    const further = Object.entries(others).map(
      ([name, values]) => [name, { shape: [8], values: Float32Array.from(values) }] as const,
    );
    const dataset = {
      ...{ count: 16, shape: [8], inputs: Float32Array.from(inputs), labels: wrong.labels },
      furtherInputs: Object.fromEntries(further),
    };
    const asked = evaluateModel({ model, examples: dataset, runtime, parameters: {}, loss: crossEntropy() });
    await expect(asked).rejects.toThrow(message);
    await expect(drain(predict({ model, examples: wrong, runtime }))).rejects.toThrow(message);
    await drain(train({ ...base, examples: examples(8, { at: 0, token: 149 }) }));
  });
});

describe("more positions than a model knows", () => {
  it("are said to be that", async () => {
    const events = train({ model, runtime, batch: 8, examples: examples(70, undefined) });
    await expect(events.next()).rejects.toThrow(
      /examples have 70 positions, and the model knows 32 .*maxLength: 32/,
    );
  });
});
