import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { convnet } from "../src/models/convnet.ts";
import { lenet5 } from "../src/models/lenet5.ts";
import { mlp } from "../src/models/mlp.ts";
import { mlpMixer } from "../src/models/mlp-mixer.ts";
import type { ModelName } from "../src/models/models.ts";
import { resnet18 } from "../src/models/resnet18.ts";
import { vit } from "../src/models/vit.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { encodeModelFile } from "../src/objective/importing/model-file.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import type { Graph } from "../src/onnx/graph.ts";
import { keyFromSeed } from "../src/random/threefry.ts";
import { fillUniform } from "../src/random/uniform.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { relativeError } from "./relative-error.ts";

const options = {
  input: [3, 16, 16],
  outputs: 4,
  normalization: { mean: [0.4, 0.5, 0.6], standardDeviation: [0.2, 0.3, 0.25] },
};

const built: Record<ModelName, Graph> = {
  mlp: mlp({ ...options, hidden: [8] }),
  lenet5: lenet5({ ...options, channels: [2, 3], hidden: [6, 5] }),
  convnet: convnet({ ...options, architecture: "Conv4,5,2,2-ReLU--Conv6,3,2-ReLU--F-FC" }),
  resnet18: resnet18({ ...options, width: 4 }),
  vit: vit({ ...options, layers: 1, width: 8 }),
  "mlp-mixer": mlpMixer({ ...options, layers: 1, width: 8 }),
};

/** A head of zeros would hide everything before it. */
function withHead(graph: Graph): Graph {
  const initializers = new Map(graph.initializers);
  for (const [index, name] of graph.parameters.entries()) {
    const tensor = graph.initializers.get(name);
    if (!tensor || !/head/.test(name)) continue;
    const data = new Float32Array(tensor.data.length);
    fillUniform(keyFromSeed(index), 0, data);
    initializers.set(name, { ...tensor, data });
  }
  return { ...graph, initializers };
}

describe.each(Object.entries(built))("the file of %s", (_, graph) => {
  const bytes = encodeModelFile(withHead(graph));

  it("takes any batch, and gives an example the same logits in each", async () => {
    const session = await ort.InferenceSession.create(bytes);
    const pixels = new Float32Array(5 * 3 * 16 * 16);
    fillUniform(keyFromSeed(7), 0, pixels);
    const logits = async (batch: number) => {
      const input = new ort.Tensor("float32", pixels.slice(0, batch * 768), [batch, 3, 16, 16]);
      const { logits: result } = await session.run({ input });
      expect(result?.dims).toEqual([batch, 4]);
      return result?.data as Float32Array;
    };
    const all = await logits(5);
    expect(new Set(all).size).toBe(20);
    for (const batch of [1, 2])
      expect(relativeError(await logits(batch), all.slice(0, 4 * batch))).toBeLessThan(1e-5);
  });

  it("stores its parameters and running statistics, of which the parameters are trained", async () => {
    const { initializers } = decodeModel(bytes);
    const isStatistic = (name: string) => /\.running_(mean|var)$/.test(name);
    expect([...initializers.keys()].filter((name) => !isStatistic(name))).toEqual(graph.parameters);
    const objective = await compileObjective({
      model: bytes,
      loss: crossEntropy(),
      runtime: nodeRuntime({ threads: 1 }),
      batch: 2,
    });
    expect(Object.keys(objective.parameters)).toEqual(graph.parameters);
  });
});

it("resnet18 stores two statistics for each of its 20 normalizations", () => {
  const names = [...decodeModel(encodeModelFile(built.resnet18)).initializers.keys()];
  expect(names.filter((name) => name.endsWith(".running_mean"))).toHaveLength(20);
  expect(names.filter((name) => name.endsWith(".running_var"))).toHaveLength(20);
});
