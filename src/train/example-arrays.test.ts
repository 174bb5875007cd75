import { describe, expect, it } from "vitest";
import { binaryCrossEntropy } from "../losses/binary-cross-entropy.ts";
import { crossEntropy } from "../losses/cross-entropy.ts";
import { meanSquaredError } from "../losses/mean-squared-error.ts";
import { mlp } from "../models/mlp.ts";
import { modelOfGraph } from "../objective/importing/model-file.ts";
import { examplesFor } from "./example-arrays.ts";

const model = modelOfGraph(mlp({ input: [2], outputs: 2 }));
const inputs = [1, 2, 3, 4];
const classes = { loss: crossEntropy(), option: "examples" };

describe("labels as plain numbers", () => {
  it("are values where the loss reads values, fractions included", async () => {
    for (const loss of [meanSquaredError(), binaryCrossEntropy()]) {
      const { labels } = await examplesFor(model, { inputs, labels: [0.5, 1] }, { loss, option: "examples" });
      expect(labels).toEqual(new Float32Array([0.5, 1]));
    }
  });

  it("are class numbers where the loss counts classes, from any kind of array", async () => {
    for (const labels of [
      [1, 0],
      new Uint8Array([1, 0]),
      new Float64Array([1, 0]),
      new BigInt64Array([1n, 0n]),
    ])
      expect((await examplesFor(model, { inputs, labels }, classes)).labels).toEqual(new Int32Array([1, 0]));
    expect((await examplesFor(model, { inputs, labels: [-100, 1] }, classes)).labels).toEqual(
      new Int32Array([-100, 1]),
    );
  });

  it("are refused where class numbers are no whole ones, with the first of them", async () => {
    for (const labels of [[1, 0.5], new Float64Array([1, 0.5])])
      await expect(examplesFor(model, { inputs, labels }, classes)).rejects.toThrow(
        "labels: cross-entropy reads class numbers, whole and counted from 0, and labels[1] is 0.5",
      );
    await expect(examplesFor(model, { inputs, labels: [Number.NaN, 1] }, classes)).rejects.toThrow(
      "labels[0] is NaN",
    );
  });
});
