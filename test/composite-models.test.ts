import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { keyFromSeed } from "../src/random/threefry.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { compileObjective } from "../src/train/objective.ts";
import { createEstimator } from "../src/train/prepare.ts";
import { fromGolden, type GoldenTensor, type GoldenTensors, readGolden, relativeError } from "./golden.ts";

const runtime = nodeRuntime({ threads: 1 });

async function objectiveOf(file: string) {
  const bytes = new Uint8Array(readFileSync(new URL(`goldens/onnx/${file}.onnx`, import.meta.url)));
  const model = decodeModel(bytes, { source: `${file}.onnx` });
  const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch: 4 });
  const golden = readGolden<{ inputs: GoldenTensor; labels: GoldenTensor; gradients: GoldenTensors }>(
    `onnx/${file}.golden.json`,
  );
  const feeds = {
    ...objective.parameters,
    input: fromGolden(golden.inputs),
    labels: fromGolden(golden.labels),
  };
  return { objective, golden, feeds };
}

describe("activations of lowered models", () => {
  for (const file of [
    "norms-dynamo21",
    "norms-opset13",
    "attention-dynamo23",
    "lstm-opset17",
    "gru-opset13",
  ]) {
    for (const shareTangents of [false, true]) {
      it(`${file}: with as many ${shareTangents ? "shared " : ""}tangents as dimensions, the exact gradient`, async () => {
        const { objective, golden, feeds } = await objectiveOf(file);
        const { dimension } = await createEstimator(objective, { tangents: 1 });
        const tangents = Math.ceil(1.3 * dimension);
        const estimator = await createEstimator(objective, { tangents, shareTangents });
        const { gradients } = await estimator.estimate(feeds, keyFromSeed(5));
        for (const [name, { data }] of Object.entries(golden.gradients))
          expect(relativeError(gradients[name] as Float32Array, data), name).toBeLessThan(1e-3);
        await estimator.release();
      });
    }
  }
});
