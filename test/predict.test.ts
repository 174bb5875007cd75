/** What models say of examples, held to PyTorch; `test/cases/predict/make.py` made the files. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { glyphs } from "../src/data/sets/glyphs.ts";
import { meanSquaredError } from "../src/losses/mean-squared-error.ts";
import { mlp } from "../src/models/mlp.ts";
import { modelOfGraph } from "../src/objective/importing/model-file.ts";
import { rememberData } from "../src/objective/model-data.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { type Prediction, type PredictOptions, predict } from "../src/train/evaluation/predict.ts";
import type { UnlabelledExamples } from "../src/train/example-arrays.ts";
import expected from "./cases/predict/expected.golden.json" with { type: "json" };

const runtime = nodeRuntime({ threads: 1 });
const model = (name: string) =>
  new Uint8Array(readFileSync(join(import.meta.dirname, "cases", "predict", `${name}.onnx`)));
async function all(options: Omit<PredictOptions, "runtime">): Promise<Prediction[]> {
  const found: Prediction[] = [];
  for await (const one of predict({ ...options, runtime })) found.push(one);
  return found;
}
const rows = { inputs: expected.rows };

/** All probabilities, one after the other, are the expected ones. */
function expectClose(found: readonly Prediction[], kind: Prediction["kind"], wanted: readonly number[]) {
  const numbers = found.flatMap((one) => {
    expect(one.kind).toBe(kind);
    return Array.from(one.kind === "values" ? one.values : one.probabilities);
  });
  expect(numbers).toHaveLength(wanted.length);
  for (const [index, number] of numbers.entries()) expect(number).toBeCloseTo(wanted[index] as number, 5);
}

describe("predict", () => {
  it("gives PyTorch's probabilities, whether the file ends in logits, a Softmax or a LogSoftmax", async () => {
    for (const name of ["logits", "softmax", "log-softmax"]) {
      const found = await all({ model: model(name), examples: rows, batch: 3, classNames: ["a", "b", "c"] });
      expectClose(found, "class", expected.classes);
      expect(found.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6]);
      for (const one of found) {
        if (one.kind !== "class") continue;
        const most = Math.max(...one.probabilities);
        expect(one.probabilities[one.label]).toBe(most);
        expect(one.className).toBe(["a", "b", "c"][one.label]);
      }
    }
  });

  it("gives classes at positions, truths and values", async () => {
    const pixels = await all({
      model: model("pixels"),
      examples: { inputs: expected.images, shape: [1, 4, 4] },
    });
    expectClose(pixels, "positions", expected.pixels);
    expect(pixels[0]).toMatchObject({ shape: [4, 4] });
    expectClose(await all({ model: model("truths"), examples: rows }), "truths", expected.truths);
    expectClose(await all({ model: model("value"), examples: rows }), "values", expected.values);
    // Logits are values where that was learned.
    const asValues = await all({ model: model("logits"), examples: rows, loss: meanSquaredError() });
    expect(asValues[0]).toMatchObject({ kind: "values", shape: [3] });
  });

  it("takes a dataset's examples, whose labels are left alone, and parts that come one by one", async () => {
    const { test, normalization } = glyphs({ train: 20, test: 30 });
    const network = mlp({ input: [1, 28, 28], hidden: [8], outputs: 10, normalization });
    const whole = await all({ model: network, examples: test });
    const size = 28 * 28;
    let read = 0;
    async function* parts(): AsyncGenerator<UnlabelledExamples> {
      for (; read < 30; read += 10)
        yield { inputs: test.inputs.subarray(read * size, (read + 10) * size), shape: test.shape };
    }
    const asked = predict({ model: network, examples: parts(), batch: 4, runtime });
    const first = await asked.next();
    // Later parts are read when they are needed.
    expect(read).toBe(0);
    const streamed = [first.value as Prediction];
    for await (const one of asked) streamed.push(one);
    expect(streamed).toHaveLength(30);
    for (const [index, one] of streamed.entries())
      expect(one).toMatchObject({ index, kind: "class", label: (whole[index] as { label: number }).label });
  });

  it("knows from a trained file what its output means", async () => {
    const graph = mlp({ input: [4], outputs: 3 });
    const known = (data: Parameters<typeof rememberData>[1]) => rememberData(modelOfGraph(graph), data);
    const named = await all({ model: known({ classNames: ["x", "y", "z"] }), examples: rows });
    expect(named[0]).toMatchObject({ className: expect.stringMatching(/^[xyz]$/) });
    const targets = { mean: [0, 0, 0], standardDeviation: [1, 1, 1] };
    const values = await all({ model: known({ targetNormalization: targets }), examples: rows });
    expect(values[0]).toMatchObject({ kind: "values", shape: [3] });
  });

  it("says what is wrong with options and examples", async () => {
    const wrong = (options: object) => all({ model: model("logits"), examples: rows, ...options });
    await expect(wrong({ batchSize: 4 })).rejects.toThrow("It is batch here");
    await expect(wrong({ examples: undefined, inputs: [] })).rejects.toThrow("It is examples here");
    await expect(wrong({ examples: { inputs: [1, 2, 3] } })).rejects.toThrow(
      "inputs hold 3 numbers; expected a whole number of examples of shape [4].",
    );
    await expect(wrong({ examples: [rows, { inputs: [1, 2], shape: [2] }] })).rejects.toThrow(
      "a part of the examples has the shape 2, and the first one 4",
    );
    await expect(wrong({ examples: { inputs: [1, 2], shape: [2] } })).rejects.toThrow(
      "takes examples of shape [4]",
    );
    expect(await wrong({ examples: [] })).toEqual([]);
  });
});
