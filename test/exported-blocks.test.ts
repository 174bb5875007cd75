/** Blocks of files that other programs wrote: found by the nodes' names, by what stands beside them, or by residual sums. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { blockName, blockSites } from "../src/ad/blocks.ts";
import { blocks } from "../src/estimate/sites/blocks.ts";
import { residual } from "../src/guess/residual.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { float32, int64 } from "../src/onnx/tensor.ts";
import { keyFromSeed } from "../src/random/threefry.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { loadModel } from "../src/storage/node-model.ts";
import { createEstimator } from "../src/train/settings/estimator.ts";
import { relativeError } from "./relative-error.ts";

const folder = join(import.meta.dirname, "cases/blocks");
const zoo = join(import.meta.dirname, "goldens/zoo");
const runtime = nodeRuntime({ threads: 1 });
const known = JSON.parse(readFileSync(join(folder, "blocks.golden.json"), "utf8")) as {
  readonly pictures: number[];
  readonly labels: number[];
  readonly loss: number;
  /** Of the parameters of one axis. */
  readonly gradients: Readonly<Record<string, number[]>>;
};
const batch = known.labels.length;

const open = (path: string) =>
  compileObjective({ model: loadModel(path), loss: crossEntropy(), runtime, batch });

const counts = async (path: string) => {
  const { graph, output: end } = await open(path);
  return blockSites(graph, graph.parameters, "losses", { end }).map(({ parameters }) => parameters.length);
};

describe("the blocks of an exported transformer", () => {
  it.each([
    ["the paths that are its nodes' names", "script.onnx"],
    ["the modules that stand beside them", "scopes.onnx"],
  ])("are its layers, by %s, and learn as PyTorch says", async (_, file) => {
    const path = join(folder, file);
    // Embeddings, three layers of four products, their biases and two normalizations, and the head behind its own one.
    const [embeddings, ...rest] = await counts(path);
    expect(rest.slice(0, 3)).toEqual([16, 16, 16]);
    expect(embeddings).toBeLessThan(5);
    const objective = await open(path);
    const estimator = await createEstimator(objective, { perturb: blocks({ guess: residual() }) });
    const feeds = {
      ...objective.parameters,
      pictures: float32(known.pictures, [batch, 1, 6, 6]),
      labels: int64(known.labels, [batch]),
    };
    const { loss, gradients } = await estimator.estimate(feeds, keyFromSeed(1));
    expect(loss).toBeCloseTo(known.loss, 5);
    const names = Object.keys(known.gradients).filter((name) => `net.${name.slice(4)}` in gradients);
    expect(names.length).toBeGreaterThan(20);
    // All at once: the gradient of a key's bias is 0, because softmax takes no notice of it.
    const [own, expected] = [gradients, known.gradients].map((from) =>
      names.flatMap((name) => [...(from[name] as ArrayLike<number> & Iterable<number>)]),
    ) as [number[], number[]];
    expect(relativeError(own, expected)).toBeLessThan(1e-5);
    await estimator.release();
  });

  it("end at its residual sums, where nothing names them", async () => {
    // Attention and the layer behind it, of each layer; what follows the last sum, and the head.
    expect(await counts(join(folder, "unnamed.onnx"))).toHaveLength(2 * 3 + 1);
  });

  it.each([
    ["vit-dynamo18.onnx", 5],
    ["gpt-dynamo23.onnx", 5],
    ["bert-dynamo18.onnx", 5],
    ["encoder-dynamo18.onnx", 5],
    ["llama-dynamo23.onnx", 5],
    ["vit-opset17.onnx", 6],
    ["gpt-opset17.onnx", 5],
    ["encoder-opset17.onnx", 4],
  ])("of two layers, %s, are %i", async (file, expected) => {
    expect(await counts(join(zoo, file))).toHaveLength(expected);
  });
});

it.each([
  ["layer1/Gemm", "layer1"],
  ["/layer1/layer1.0/conv1/Conv", "layer1"],
  ["/encoder/layer.0/attention/output/MatMul", "encoder/layer.0"],
  ["/encoder/layers/encoder_layer_11/mlp/mlp.0/MatMul", "encoder/layers/encoder_layer_11"],
  ["/embeddings/word/Gather", "embeddings"],
  ["/Add", undefined],
  ["node_linear_3", undefined],
  ["", undefined],
])("the node %s is of the block %s", (name, block) => expect(blockName(name)).toBe(block));
