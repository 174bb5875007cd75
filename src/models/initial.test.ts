import { describe, expect, it } from "vitest";
import type { Graph } from "../onnx/graph.ts";
import { convnet } from "./convnet.ts";
import { mlp } from "./mlp.ts";
import { mlpMixer } from "./mlp-mixer.ts";
import { resnet18 } from "./resnet18.ts";
import { vit } from "./vit.ts";

const mnist = { input: [1, 28, 28], outputs: 10 };

const values = (graph: Graph, name: string) => {
  const data = graph.initializers.get(name)?.data;
  if (!(data instanceof Float32Array)) throw new Error(`no float parameter '${name}'`);
  return data;
};

function moments(data: Float32Array) {
  const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
  const variance = data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / data.length;
  return {
    mean,
    deviation: Math.sqrt(variance),
    largest: data.reduce((a, b) => Math.max(a, Math.abs(b)), 0),
  };
}

/**
 * Mean, standard deviation and range of n uniform numbers in ±b. The mean's standard error is σ/√n with σ = b/√3; the
 * standard deviation's is about σ √((κ − 1)/4n), κ = 9/5; both within 5 of them. The largest of n is above b (1 − 20/n)
 * except with probability e⁻²⁰.
 */
function expectUniform(data: Float32Array, bound: number) {
  const { mean, deviation, largest } = moments(data);
  const [n, sigma] = [data.length, bound / Math.sqrt(3)];
  expect(Math.abs(mean)).toBeLessThan((5 * sigma) / Math.sqrt(n));
  expect(Math.abs(deviation - sigma)).toBeLessThan(5 * sigma * Math.sqrt(0.2 / n));
  expect(largest).toBeLessThanOrEqual(Math.fround(bound));
  expect(largest).toBeGreaterThan(bound * (1 - 20 / n));
}

/** As above for n normal numbers, κ = 3; the largest is above 2.5 σ, as 1 in 80 is. */
function expectNormal(data: Float32Array, sigma: number) {
  const { mean, deviation, largest } = moments(data);
  const n = data.length;
  expect(Math.abs(mean)).toBeLessThan((5 * sigma) / Math.sqrt(n));
  expect(Math.abs(deviation - sigma)).toBeLessThan(5 * sigma * Math.sqrt(0.5 / n));
  expect(largest).toBeGreaterThan(2.5 * sigma);
}

const expectAll = (data: Float32Array, value: number) =>
  expect(data.every((each) => each === value)).toBe(true);

describe("first values", () => {
  it("Linear: weights and biases uniform in ±1/√in", () => {
    const graph = mlp({ ...mnist, hidden: [512] });
    expectUniform(values(graph, "layer1.weight"), 1 / 28);
    expectUniform(values(graph, "layer1.bias"), 1 / 28);
    expectUniform(values(graph, "layer2.weight"), 1 / Math.sqrt(512));
  });

  it("Conv: weights and biases uniform in ±1/√fanIn", () => {
    const graph = convnet({ ...mnist, architecture: "Conv16,3-Conv32,5--F-FC" });
    expectUniform(values(graph, "block1.0.weight"), 1 / 3);
    expectUniform(values(graph, "block1.1.weight"), 1 / 20);
    expectUniform(values(graph, "block1.1.bias"), 1 / 20);
    expectUniform(values(graph, "block2.1.weight"), 1 / Math.sqrt(32 * 22 * 22));
  });

  for (const norm of ["batch", "group"] as const)
    it(`resnet18 with ${norm} normalization: those of torchvision's`, () => {
      const graph = resnet18({ ...mnist, norm, width: 16 });
      expectNormal(values(graph, "conv1.weight"), Math.sqrt(2 / (16 * 49)));
      expectNormal(values(graph, "layer2.0.conv1.weight"), Math.sqrt(2 / (32 * 9)));
      expectNormal(values(graph, "layer4.0.downsample.0.weight"), Math.sqrt(2 / 128));
      expectUniform(values(graph, "fc.weight"), 1 / Math.sqrt(128));
      for (const name of ["bn1", "layer1.1.bn2", "layer3.0.downsample.1"]) {
        expectAll(values(graph, `${name}.weight`), 1);
        expectAll(values(graph, `${name}.bias`), 0);
        if (norm === "group") continue;
        expectAll(values(graph, `${name}.running_mean`), 0);
        expectAll(values(graph, `${name}.running_var`), 1);
      }
    });

  it("vit: those of torchvision's VisionTransformer", () => {
    const graph = vit({ ...mnist, layers: 1 });
    const layer = "encoder.layers.encoder_layer_0";
    expectNormal(values(graph, "conv_proj.weight"), 1 / 4);
    expectNormal(values(graph, "encoder.pos_embedding"), 0.02);
    expectUniform(values(graph, `${layer}.self_attention.in_proj_weight`), Math.sqrt(6 / (256 + 768)));
    expectUniform(values(graph, `${layer}.self_attention.out_proj.weight`), 1 / 16);
    for (const part of ["0", "3"]) {
      expectUniform(values(graph, `${layer}.mlp.${part}.weight`), Math.sqrt(6 / (256 + 512)));
      expectNormal(values(graph, `${layer}.mlp.${part}.bias`), 1e-6);
    }
    for (const name of [
      "class_token",
      "conv_proj.bias",
      `${layer}.self_attention.in_proj_bias`,
      `${layer}.self_attention.out_proj.bias`,
      `${layer}.ln_1.bias`,
      "encoder.ln.bias",
      "heads.head.weight",
      "heads.head.bias",
    ])
      expectAll(values(graph, name), 0);
    for (const name of [`${layer}.ln_1.weight`, `${layer}.ln_2.weight`, "encoder.ln.weight"])
      expectAll(values(graph, name), 1);
  });

  it("mlp-mixer: Linear's, normalizations of ones and zeros, a head of zeros", () => {
    const graph = mlpMixer(mnist);
    expectUniform(values(graph, "stem.proj.weight"), 1 / 4);
    expectUniform(values(graph, "blocks.0.mlp_tokens.fc1.weight"), 1 / 7);
    expectUniform(values(graph, "blocks.3.mlp_channels.fc2.weight"), 1 / Math.sqrt(512));
    expectUniform(values(graph, "blocks.3.mlp_channels.fc1.bias"), 1 / Math.sqrt(128));
    expectAll(values(graph, "blocks.2.norm2.weight"), 1);
    expectAll(values(graph, "norm.bias"), 0);
    expectAll(values(graph, "head.weight"), 0);
    expectAll(values(graph, "head.bias"), 0);
  });
});
