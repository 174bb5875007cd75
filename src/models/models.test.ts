import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Graph } from "../onnx/graph.ts";
import { elementCount } from "../onnx/tensor.ts";
import { convnet } from "./convnet.ts";
import { lenet5 } from "./lenet5.ts";
import { mlp } from "./mlp.ts";
import { mlpMixer } from "./mlp-mixer.ts";
import { models } from "./models.ts";
import type { ModelOptions } from "./network.ts";
import { resnet18 } from "./resnet18.ts";
import { vit } from "./vit.ts";

const mnist = { input: [1, 28, 28], outputs: 10 };
const cifar = { input: [3, 32, 32], outputs: 10 };

const normalization = { mean: 0.1, standardDeviation: 0.3 };

const count = (graph: Graph) =>
  graph.parameters.reduce((total, name) => total + elementCount(graph.values.get(name)?.shape ?? []), 0);

const values = (graph: Graph, name: string) => graph.initializers.get(name)?.data as Float32Array;

describe("numbers of parameters", () => {
  for (const [name, build, expected] of [
    ["784-256-256-10", () => mlp({ ...mnist, hidden: [256, 256] }), 269_322],
    ["784-1024-1024-10", () => mlp({ ...mnist, hidden: [1024, 1024] }), 1_863_690],
    ["784-4096-4096-10", () => mlp({ ...mnist, hidden: [4096, 4096] }), 20_037_642],
    ["lenet5, MNIST", () => lenet5(mnist), 61_706],
    ["lenet5, CIFAR-10", () => lenet5(cifar), 62_006],
    ["resnet18, MNIST", () => resnet18(mnist), 11_175_370],
    ["resnet18, CIFAR-10", () => resnet18(cifar), 11_181_642],
    ["resnet18 with groups, CIFAR-10", () => resnet18({ ...cifar, norm: "group" }), 11_181_642],
    // 8·9 + 8 + 8·26²·32 + 32 + 320 + 10
    ["convnet, MNIST", () => convnet({ ...mnist, architecture: "Conv8,3-ReLU--F-FC32-ReLU--FC10" }), 173_498],
    ["vit, MNIST", () => vit(mnist), 3_183_114],
    ["vit, CIFAR-10", () => vit(cifar), 3_195_146],
    // 49 tokens of 128: 16·128 + 128 + 4 (2·256 + 2·49·64 + 64 + 49 + 2·128·512 + 512 + 128) + 256 + 1290
    ["mlp-mixer, MNIST", () => mlpMixer(mnist), 558_158],
  ] as const) {
    it(`${name}: ${expected}`, () => {
      expect(count(build())).toBe(expected);
    });
  }
});

describe.each(Object.entries(models))("%s", (name, model) => {
  const build = model as (options: ModelOptions) => Graph;

  it("gives logits for batches of images", () => {
    const { inputs, outputs } = build({ ...cifar, batch: 3 });
    expect(inputs).toEqual([{ name: "input", dtype: "float32", shape: [3, 3, 32, 32] }]);
    expect(outputs).toEqual([{ name: "logits", dtype: "float32", shape: [3, 10] }]);
  });

  it("consists of named blocks, each a stretch of its own with parameters in it", () => {
    const { nodes, parameters } = build({ ...mnist, normalization });
    const own = nodes.filter((node) => node.name !== "logits/output");
    const order = own.map((node) => {
      expect(node.name).toContain("/");
      return node.name.split("/")[0] as string;
    });
    const stretches = order.filter((block, index) => block !== order[index - 1]);
    expect(stretches.length).toBeGreaterThan(1);
    expect(new Set(stretches).size).toBe(stretches.length);
    for (const block of stretches) {
      const inputs = own.filter((node) => node.name.startsWith(`${block}/`)).flatMap((node) => node.inputs);
      expect(
        inputs.some((input) => parameters.includes(input)),
        block,
      ).toBe(true);
    }
  });

  it("draws its first values from the seed", () => {
    const bytes = (seed: number) => {
      const graph = build({ ...mnist, seed });
      const hash = createHash("sha256");
      for (const parameter of graph.parameters) hash.update(values(graph, parameter));
      return hash.digest("hex");
    };
    expect(bytes(1)).toBe(bytes(1));
    expect(bytes(1)).not.toBe(bytes(2));
  });

  it("draws every random parameter from a stream of its own", () => {
    const graph = build(mnist);
    const seen = new Map<string, string>();
    for (const parameter of graph.parameters) {
      const data = values(graph, parameter);
      if (data.every((value) => value === data[0])) continue;
      // Scaled to the first number, so that equal streams show under different spreads.
      const start = [...data.slice(1, 6)].map((value) => (value / (data[0] as number)).toFixed(3)).join();
      expect(seen.get(start), `${parameter} repeats a stream`).toBeUndefined();
      seen.set(start, parameter);
    }
    expect(seen.size).toBeGreaterThan(2);
  });

  it("names itself and the fix for sizes that are none", () => {
    expect(() => build({ ...mnist, outputs: 0 })).toThrow(
      new RegExp(`${name}.*must be whole numbers from 1`),
    );
    if (name !== "mlp")
      expect(() => build({ ...mnist, input: [784] })).toThrow("[channels, height, width], received [784]");
  });
});

it("mlp keeps its parameter names and first values", () => {
  const graph = mlp({ input: [6], hidden: [5, 4], outputs: 3, seed: 3 });
  const hash = createHash("sha256");
  for (const name of graph.parameters)
    hash.update(name).update(new Uint8Array(values(graph, name).buffer as ArrayBuffer));
  expect(hash.digest("hex").slice(0, 16)).toBe("a5511b8c3136a5f7");
});

it("normalizes with one number, or one a channel", () => {
  const named = (normalization: ModelOptions["normalization"]) =>
    [...mlp({ ...cifar, normalization }).initializers.values()].map(({ shape }) => shape.join());
  expect(named({ mean: [0.4, 0.5, 0.6], standardDeviation: [0.2, 0.2, 0.2] })).toContain("3,1,1");
  expect(named({ mean: 0.4, standardDeviation: 0.2 })).not.toContain("3,1,1");
});
