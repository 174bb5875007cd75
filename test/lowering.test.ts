import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkDerivatives } from "../src/ad/check.ts";
import { derivativeGraph } from "../src/ad/derivatives.ts";
import { type Attribute, float, type Graph, int, type Value } from "../src/onnx/graph.ts";
import {
  type DType,
  elementCount,
  float32,
  int64,
  type Tensor,
  tensorOf,
  toNumbers,
} from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { upgradeGraph } from "../src/ops/full-upgrade.ts";
import { evaluate } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";

const runtime = nodeRuntime({ threads: 1 });

/** A graph of one node named "model/node", with every output. */
function single(
  op: string,
  inputs: (g: GraphBuilder) => (Value | undefined)[],
  attributes: Record<string, Attribute | number | string> = {},
  outputs = 1,
): Graph {
  const g = new GraphBuilder("single");
  const values = g.node(op, inputs(g), attributes, { name: "model/node", outputs });
  return g.build(Object.fromEntries(values.map((value) => [value.name, value])));
}

const input = (g: GraphBuilder, name: string, shape: readonly number[]) => g.input(name, "float32", shape);

describe("lowering", () => {
  it("puts primitives in a composite node's place, under its name, and keeps the names of its outputs", async () => {
    const g = new GraphBuilder("model");
    const x = input(g, "x", [2, 4, 3]);
    const scale = g.parameter("scale", float32([1, 2, 3, 4]));
    const bias = g.parameter("bias", float32([1, 0, 0, 1]));
    const [normal] = g.node(
      "GroupNormalization",
      [g.tanh(x), scale, bias],
      { num_groups: 2 },
      { name: "block/norm" },
    );
    const graph = g.build({ normal: normal as Value, after: g.sigmoid(normal as Value) });
    const lowered = upgradeGraph(graph);
    expect(lowered.outputs).toEqual(graph.outputs);
    expect(lowered.parameters).toEqual(["scale", "bias"]);
    const names = lowered.nodes.map(({ name }) => name);
    expect(names[0]).toBe(graph.nodes[0]?.name);
    expect(names.slice(-3)).toEqual(graph.nodes.slice(-3).map(({ name }) => name));
    const own = names.slice(1, -3);
    expect(own.length).toBeGreaterThan(4);
    for (const name of own) expect(name).toMatch(/^block\/norm\//);
    expect(lowered.nodes.map(({ op }) => op)).toContain("LayerNormalization");
    expect(lowered.nodes.find(({ outputs }) => outputs.includes("block/norm"))?.op).not.toBe("Identity");
    const computed = new Set(lowered.nodes.flatMap(({ outputs }) => outputs));
    for (const name of lowered.values.keys())
      expect(computed.has(name) || lowered.initializers.has(name) || name === "x", name).toBe(true);
    const feeds = {
      x: float32(
        Array.from({ length: 24 }, (_, index) => Math.sin(index)),
        [2, 4, 3],
      ),
    };
    const before = await evaluate(runtime, graph, feeds);
    const after = await evaluate(runtime, lowered, feeds);
    for (const name of ["normal", "after"]) {
      const [expected, received] = [toNumbers(before[name] as Tensor), toNumbers(after[name] as Tensor)];
      received.forEach((value, index) => {
        expect(value).toBeCloseTo(expected[index] as number, 4);
      });
    }
  });

  it("leaves graphs without composite nodes as they are", () => {
    const graph = single("Tanh", (g) => [input(g, "x", [2])]);
    expect(upgradeGraph(graph).nodes).toEqual(graph.nodes);
  });

  it("copies an output that is an input, so that both names stay", () => {
    const graph = single("Dropout", (g) => [input(g, "x", [2])], {}, 2);
    const lowered = upgradeGraph(graph);
    expect(lowered.nodes.find(({ outputs }) => outputs.includes("model/node/0"))).toMatchObject({
      op: "Identity",
      inputs: ["x"],
    });
  });

  it("comes before differentiating; a composite node without it is refused, never taken for constant", async () => {
    const graph = single("InstanceNormalization", (g) => [
      input(g, "x", [1, 2, 3]),
      g.constant(float32([1, 2])),
      g.constant(float32([0, 0])),
    ]);
    const forms = new Map([["x", "stacked"] as const]);
    expect(() => derivativeGraph(graph, forms, 1, "model/node")).toThrow(
      "InstanceNormalization node 'model/node' is composite and has no derivative rule of its own; pass the graph through " +
        "upgradeGraph first",
    );
    derivativeGraph(upgradeGraph(graph), forms, 1, "model/node");
    const feeds = { x: float32([1, 3, 2, 0, -1, 4], [1, 2, 3]) };
    const report = await checkDerivatives(graph, { evaluate: (g, f) => evaluate(runtime, g, f), feeds });
    expect(report.forwardError).toBeLessThan(1e-2);
  });
});

const refusals: readonly [name: string, build: () => Graph, message: string][] = [
  [
    "dropout in training",
    () =>
      single("Dropout", (g) => [
        input(g, "x", [2]),
        g.constant(float32([0.5], [])),
        g.constant(tensorOf("bool", [1], [])),
      ]),
    "Dropout node 'model/node' drops values at random (its training_mode is true), so no two runs compute the same " +
      "function and its derivatives mean nothing; export the model after model.eval(), or with training_mode false.",
  ],
  [
    "dropout that an input may switch on",
    () => single("Dropout", (g) => [input(g, "x", [2]), undefined, g.input("training", "bool", [])]),
    "its training_mode is not a constant",
  ],
  [
    "a group count that does not divide the channels",
    () =>
      single(
        "GroupNormalization",
        (g) => [input(g, "x", [1, 4, 2]), input(g, "s", [4]), input(g, "b", [4])],
        { num_groups: 3 },
      ),
    "GroupNormalization node 'model/node': num_groups is 3, expected a divisor of the 4 channels.",
  ],
  [
    "scales of another size",
    () =>
      single("InstanceNormalization", (g) => [
        input(g, "x", [1, 4, 2]),
        input(g, "s", [3]),
        input(g, "b", [4]),
      ]),
    "InstanceNormalization node 'model/node': scale has the shape [3], expected [4], one number for each channel of the " +
      "input [1, 4, 2].",
  ],
  [
    "other norms",
    () => single("LpNormalization", (g) => [input(g, "x", [2])], { p: 3 }),
    "LpNormalization node 'model/node': p is 3, expected 1 or 2",
  ],
  [
    "labels that do not fit",
    () => single("SoftmaxCrossEntropyLoss", (g) => [input(g, "x", [2, 3, 4]), g.constant(int64([0, 1]))]),
    "SoftmaxCrossEntropyLoss node 'model/node': labels of shape [2] do not fit scores of shape [2, 3, 4]",
  ],
  [
    "a key-value cache",
    () => {
      const kv = (g: GraphBuilder, name: string) => input(g, name, [1, 1, 2, 4]);
      return single("Attention", (g) => [
        kv(g, "q"),
        kv(g, "k"),
        kv(g, "v"),
        undefined,
        kv(g, "pk"),
        kv(g, "pv"),
      ]);
    },
    "Attention node 'model/node' uses past_key, past_value, which serve decoding token by token; export the model " +
      "without a key-value cache.",
  ],
  [
    "a mask for fewer keys",
    () => {
      const qkv = (g: GraphBuilder, name: string) => input(g, name, [1, 1, 3, 4]);
      return single("Attention", (g) => [qkv(g, "q"), qkv(g, "k"), qkv(g, "v"), input(g, "m", [3, 2])]);
    },
    "attn_mask has the shape [3, 2], expected one that broadcasts to [1, 1, 3, 3] with all 3 keys on its last axis.",
  ],
];

/** Attributes of an LSTM that are refused. */
const refusedAttributes: readonly (readonly [attributes: Record<string, Attribute>, message: string])[] = [
  [{ clip: float(1) }, "LSTM node 'model/node': clip is not supported; export without it."],
  [{ layout: int(1) }, "layout = 1 (batch first) is not supported"],
  [{ input_forget: int(1) }, "input_forget is not supported"],
  [
    { activations: { type: "strings", value: ["Sigmoid", "Tanh", "HardSigmoid"] } },
    "activation 'HardSigmoid' is not supported; expected one of Relu, Sigmoid, Tanh.",
  ],
  [{ activations: { type: "strings", value: ["Sigmoid"] } }, "it lists 1 activations, expected 3."],
];

function lstm(
  lengths: ((g: GraphBuilder) => Value) | undefined,
  attributes: Record<string, Attribute>,
): Graph {
  return single(
    "LSTM",
    (g) => [
      input(g, "x", [2, 2, 3]),
      input(g, "w", [1, 4, 3]),
      input(g, "r", [1, 4, 1]),
      undefined,
      lengths?.(g),
    ],
    { hidden_size: 1, ...attributes },
  );
}

describe("lowering refuses", () => {
  for (const [name, build, message] of refusals)
    it(name, () => {
      expect(() => upgradeGraph(build())).toThrow(message);
    });
  for (const [attributes, message] of refusedAttributes)
    it(`an LSTM: ${message}`, () => {
      expect(() => upgradeGraph(lstm(undefined, attributes))).toThrow(message);
    });
});

describe("batch normalization", () => {
  it("refuses opset 13's form in training, which is told by its outputs", () => {
    const channel = (g: GraphBuilder, name: string) => input(g, name, [2]);
    const graph = single(
      "BatchNormalization",
      (g) => [input(g, "x", [4, 2]), ...["s", "b", "m", "v"].map((name) => channel(g, name))],
      { training_mode: 1 },
      3,
    );
    expect(() => upgradeGraph({ ...graph, opset: 13 })).toThrow(
      "BatchNormalization node 'model/node': opset 13 computes statistics of the batch where a node has 3 outputs",
    );
  });
});

describe("lowered values equal the kernel's for any shape", () => {
  const size = (max: number) => fc.integer({ min: 1, max });
  /** Runs the composite node and what it becomes on the same numbers. */
  async function compare(graph: Graph): Promise<void> {
    const feeds = Object.fromEntries(
      graph.inputs.map(({ name, dtype, shape }, index) => [
        name,
        tensorOf(
          dtype,
          Array.from({ length: elementCount(shape) }, (_, position) => {
            const value = Math.sin(position * 1.3 + index + 1);
            return dtype === "bool" ? Number(value > -0.3) : value;
          }),
          shape,
        ),
      ]),
    );
    const expected = await evaluate(runtime, graph, feeds);
    const received = await evaluate(runtime, upgradeGraph(graph), feeds);
    for (const { name, shape } of graph.outputs) {
      expect(received[name]?.shape).toEqual(shape);
      const values = toNumbers(expected[name] as Tensor);
      toNumbers(received[name] as Tensor).forEach((value, position) => {
        expect(Math.abs(value - (values[position] as number))).toBeLessThan(2e-5);
      });
    }
  }

  it("group normalization", async () => {
    const property = fc.asyncProperty(
      fc.tuple(size(3), size(3), size(3)),
      fc.array(size(4), { minLength: 1, maxLength: 3 }),
      fc.constantFrom(18, 21),
      async ([batch, groups, width], positions, opset) => {
        // A group of one number is its own mean: nothing but rounding is left of it.
        fc.pre(width * elementCount(positions) > 1);
        const channels = groups * width;
        const graph = single(
          "GroupNormalization",
          (g) => {
            const each = opset === 18 ? groups : channels;
            return [
              input(g, "x", [batch, channels, ...positions]),
              input(g, "s", [each]),
              input(g, "b", [each]),
            ];
          },
          { num_groups: groups, epsilon: 0.01 },
        );
        await compare({ ...graph, opset });
      },
    );
    await fc.assert(property, { numRuns: 40, seed: 7 });
  });

  it("attention", async () => {
    const property = fc.asyncProperty(
      fc.tuple(size(2), size(2), size(3), size(4), size(4), size(3), size(3)),
      fc.constantFrom("none", "bool", "float32"),
      fc.boolean(),
      fc.boolean(),
      async ([batch, shared, repeats, queries, keys, width, valueWidth], mask, isCausal, isFlat) => {
        const heads = shared * repeats;
        const shape = (count: number, length: number, each: number) =>
          isFlat ? [batch, length, count * each] : [batch, count, length, each];
        const graph = single(
          "Attention",
          (g) => [
            input(g, "q", shape(heads, queries, width)),
            input(g, "k", shape(shared, keys, width)),
            input(g, "v", shape(shared, keys, valueWidth)),
            ...(mask === "none" ? [] : [g.input("mask", mask as DType, [queries, keys])]),
          ],
          {
            is_causal: isCausal ? 1 : 0,
            ...(isFlat ? { q_num_heads: heads, kv_num_heads: shared } : {}),
          },
        );
        await compare(graph);
      },
    );
    await fc.assert(property, { numRuns: 60, seed: 7 });
  });
});
