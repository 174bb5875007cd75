/** What an evaluation says beside loss and accuracy, of files whose predictions are known. */
import { describe, expect, it } from "vitest";
import { scoreLines } from "../src/cli/score-words.ts";
import { binaryCrossEntropy } from "../src/losses/binary-cross-entropy.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { meanSquaredError } from "../src/losses/mean-squared-error.ts";
import { encodeModelFile } from "../src/objective/importing/model-file.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { evaluateModel } from "../src/train/evaluation/evaluate-model.ts";

const runtime = nodeRuntime({ threads: 1 });

/** A model whose output is twice its input: what it predicts is what is fed. */
function doubling(shape: readonly number[]) {
  const g = new GraphBuilder("doubling");
  const x = g.input("x", "float32", [4, ...shape]);
  return decodeModel(encodeModelFile(g.build({ y: g.mul(x, 2) })));
}

const options = { parameters: {}, runtime };

describe("an evaluation", () => {
  it("counts who is taken for whom, over batches, without labels that are ignored", async () => {
    // Logits of three classes; the last batch is filled up, and its copies do not count.
    const taken = [0, 1, 2, 2, 1, 0, 0];
    const labels = [0, 1, 1, 2, 0, -100, 0];
    const { accuracy, counted, classification } = await evaluateModel({
      ...options,
      model: doubling([3]),
      loss: crossEntropy(),
      examples: {
        count: 7,
        shape: [3],
        inputs: Float32Array.from(
          taken.flatMap((best) => [0, 1, 2].map((index) => (index === best ? 1 : 0))),
        ),
        labels: Int32Array.from(labels),
      },
    });
    expect(counted).toBe(6);
    expect(accuracy).toBeCloseTo(4 / 6, 12);
    expect(classification?.accuracy).toBeCloseTo(4 / 6, 12);
    expect(classification?.confusion).toEqual([2, 1, 0, 0, 1, 1, 0, 0, 1]);
    expect(classification?.classes[1]).toEqual({ precision: 1 / 2, recall: 1 / 2, f1: 1 / 2, support: 2 });
    expect(classification).not.toHaveProperty("rocAuc");
    const lines = scoreLines({ classification }, ["ant", "bee", "cat"]).join("\n");
    expect(lines).toContain("ant taken for bee (1)");
    expect(lines).toMatch(/^bee +50\.00 % +50\.00 % +50\.00 % +2$/m);
  });

  it("counts pixels, whose classes lie on an inner axis", async () => {
    // [examples, 2 classes, 3 pixels]
    const inputs = [
      [1, 0, 1, 0, 1, 0],
      [0, 0.1, 1, 1, 0, 0],
      [0, 0, 0, 1, 1, 1],
      [1, 1, 1, 0, 0, 0],
    ];
    const labels = [0, 1, 0, 1, 1, 0, 1, 1, 0, 0, 0, 0];
    const { classification } = await evaluateModel({
      ...options,
      model: doubling([2, 3]),
      loss: crossEntropy(),
      examples: {
        count: 4,
        shape: [2, 3],
        inputs: Float32Array.from(inputs.flat()),
        labels: Int32Array.from(labels),
        targetShape: [3],
      },
    });
    expect(classification?.confusion).toEqual([6, 1, 1, 4]);
    // Margins by label: 0: −1, −1, −1, +1, −1, −1, −1; 1: +1, +1, −0.1, +1, +1. Ties count half.
    const won = 4 * (6 + 0.5) + 6;
    expect(classification?.rocAuc).toBeCloseTo(won / 35, 12);
    expect(scoreLines({ classification })[0]).toContain("ROC AUC");
  });

  it("says how far values are off, and nothing of the sort for truth values", async () => {
    const inputs = Float32Array.of(1, 2, 3, 4, 5, 6);
    const labels = Float32Array.of(2, 5, 6, 7, 10, 12);
    const examples = { count: 6, shape: [1], inputs, labels };
    const { regression, accuracy, classification } = await evaluateModel({
      ...options,
      ...{ model: doubling([1]), loss: meanSquaredError(), examples },
    });
    expect([accuracy, classification]).toEqual([undefined, undefined]);
    // Errors 0, −1, 0, 1, 0, 0; the targets' mean is 7, their spread 25 + 4 + 1 + 0 + 9 + 25.
    expect(regression?.meanAbsoluteError).toBeCloseTo(1 / 3, 6);
    expect(regression?.rootMeanSquaredError).toBeCloseTo(Math.sqrt(1 / 3), 6);
    expect(regression?.r2).toBeCloseTo(1 - 2 / 64, 6);
    expect(scoreLines({ regression })).toEqual([
      "mean absolute error 0.33333, root mean squared error 0.57735, R² 0.9688",
    ]);
    const truth = await evaluateModel({
      ...options,
      ...{ model: doubling([1]), loss: binaryCrossEntropy() },
      examples: { ...examples, labels: Float32Array.of(0, 1, 1, 0, 1, 1) },
    });
    expect(truth.regression).toBeUndefined();
  });
});
