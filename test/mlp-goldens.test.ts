import { describe, expect, it } from "vitest";
import { derivativeGraph } from "../src/ad/derivatives.ts";
import { gradientGraph } from "../src/ad/gradient.ts";
import { binaryCrossEntropy } from "../src/losses/binary-cross-entropy.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { attachLoss } from "../src/losses/loss.ts";
import { meanSquaredError } from "../src/losses/mean-squared-error.ts";
import { mlp } from "../src/models/mlp.ts";
import { initializersToInputs } from "../src/onnx/graph.ts";
import { float32, type Tensor } from "../src/onnx/tensor.ts";
import { evaluate } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { fromGolden, type GoldenTensor, type GoldenTensors, readGolden } from "./golden.ts";
import { relativeError } from "./relative-error.ts";

interface MlpGolden {
  readonly name: string;
  readonly activation: string;
  readonly loss_kind: "cross-entropy" | "mean-squared-error" | "binary-cross-entropy";
  readonly smoothing?: number;
  readonly sizes: number[];
  readonly inputs: GoldenTensor;
  readonly labels?: GoldenTensor;
  readonly target?: GoldenTensor;
  readonly parameters: GoldenTensors;
  readonly outputs: GoldenTensor;
  readonly loss: number;
  readonly losses: GoldenTensor;
  readonly k: number;
  readonly weightTangents: GoldenTensors;
  readonly weightDerivatives: GoldenTensor;
  readonly weightDerivativesPerExample: GoldenTensor;
  readonly activationTangents: GoldenTensors;
  readonly activationDerivatives: GoldenTensor;
  readonly gradients: GoldenTensors;
}

const runtime = nodeRuntime({ threads: 1 });
const names: Record<string, string> = { leakyRelu: "leaky-relu", geluTanh: "gelu-tanh" };

function objectiveGraph(golden: MlpGolden) {
  const [input = 0, ...layers] = golden.sizes;
  const graph = mlp({
    input: [input],
    hidden: layers.slice(0, -1),
    outputs: layers.at(-1) as number,
    activation: (names[golden.activation] ?? golden.activation) as "relu",
    batch: golden.inputs.shape[0],
  });
  const loss =
    golden.loss_kind === "cross-entropy"
      ? crossEntropy({ smoothing: golden.smoothing ?? 0 })
      : golden.loss_kind === "mean-squared-error"
        ? meanSquaredError()
        : binaryCrossEntropy();
  return initializersToInputs(attachLoss(graph, loss, "logits"), graph.parameters);
}

function feedsOf(golden: MlpGolden): Record<string, Tensor> {
  const parameters = Object.entries(golden.parameters).map(
    ([name, value]) => [name, fromGolden(value)] as const,
  );
  const target: Record<string, Tensor> = golden.labels
    ? { labels: fromGolden(golden.labels) }
    : { target: fromGolden(golden.target as GoldenTensor) };
  return { input: fromGolden(golden.inputs), ...target, ...Object.fromEntries(parameters) };
}

const tangentFeeds = (tangents: GoldenTensors) =>
  Object.fromEntries(Object.entries(tangents).map(([name, value]) => [`tangent/${name}`, fromGolden(value)]));

const numbers = (tensor: Tensor | undefined) => tensor?.data as Float32Array;

// The bound of the whole derivative, over all tangents, in float32.
const bound = 1e-5;

describe("directional derivatives of fully connected networks equal PyTorch's", () => {
  for (const golden of readGolden<MlpGolden[]>("mlp.golden.json")) {
    const graph = objectiveGraph(golden);
    const feeds = feedsOf(golden);
    const weights = new Map(graph.parameters.map((name) => [name, "stacked"] as const));

    it(`${golden.name}: loss and weights`, async () => {
      const derived = derivativeGraph(graph, weights, golden.k, "loss");
      const result = await evaluate(runtime, derived, { ...feeds, ...tangentFeeds(golden.weightTangents) });
      expect(relativeError(numbers(result.losses), golden.losses.data)).toBeLessThan(bound);
      expect(numbers(result.loss)[0]).toBeCloseTo(golden.loss, 5);
      expect(relativeError(numbers(result.logits), golden.outputs.data)).toBeLessThan(bound);
      expect(relativeError(numbers(result.derivatives), golden.weightDerivatives.data)).toBeLessThan(bound);
    });

    it(`${golden.name}: weights, per example`, async () => {
      const derived = derivativeGraph(graph, weights, golden.k, "losses");
      const result = await evaluate(runtime, derived, { ...feeds, ...tangentFeeds(golden.weightTangents) });
      expect(
        relativeError(numbers(result.derivatives), golden.weightDerivativesPerExample.data),
      ).toBeLessThan(bound);
    });

    it(`${golden.name}: activations`, async () => {
      const injected = Object.fromEntries(
        Object.entries(golden.activationTangents).map(([layer, value]) => [`${layer}/Gemm`, value]),
      );
      const sites = new Map(Object.keys(injected).map((name) => [name, "stacked"] as const));
      const derived = derivativeGraph(graph, sites, golden.k, "losses");
      const tangents = tangentFeeds(injected);
      const result = await evaluate(runtime, derived, { ...feeds, ...tangents });
      expect(relativeError(numbers(result.derivatives), golden.activationDerivatives.data)).toBeLessThan(
        bound,
      );
    });

    it(`${golden.name}: exact gradient`, async () => {
      const result = await evaluate(runtime, gradientGraph(graph, graph.parameters, "loss"), feeds);
      for (const name of graph.parameters) {
        expect(
          relativeError(numbers(result[`gradient/${name}`]), (golden.gradients[name] as GoldenTensor).data),
          name,
        ).toBeLessThan(bound);
      }
    });

    it(`${golden.name}: a low-rank tangent equals the dense one that it stands for`, async () => {
      const forms = new Map(
        graph.parameters.map((name) => [name, name.endsWith("weight") ? { rank: 2 } : "stacked"] as const),
      );
      const factored: Record<string, Tensor> = {};
      const dense: Record<string, Tensor> = {};
      graph.parameters.forEach((name, index) => {
        const shape = golden.parameters[name]?.shape ?? [];
        if (shape.length < 2) {
          factored[`tangent/${name}`] = dense[`tangent/${name}`] = fromGolden(
            golden.weightTangents[name] as GoldenTensor,
          );
          return;
        }
        const [rows = 0, columns = 0] = shape;
        const left = spread(golden.k * rows * 2, index);
        const right = spread(golden.k * columns * 2, index + 10);
        factored[`tangent/${name}/left`] = float32(left, [golden.k, rows, 2]);
        factored[`tangent/${name}/right`] = float32(right, [golden.k, columns, 2]);
        dense[`tangent/${name}`] = float32(multiplyFactors(left, right, golden.k, rows, columns), [
          golden.k,
          rows,
          columns,
        ]);
      });
      const low = await evaluate(runtime, derivativeGraph(graph, forms, golden.k, "loss"), {
        ...feeds,
        ...factored,
      });
      const full = await evaluate(runtime, derivativeGraph(graph, weights, golden.k, "loss"), {
        ...feeds,
        ...dense,
      });
      expect(relativeError(numbers(low.derivatives), numbers(full.derivatives))).toBeLessThan(bound);
    });
  }
});

function spread(count: number, offset: number): Float32Array {
  return Float32Array.from(
    { length: count },
    (_, index) => (((index + 1) * 0.618 + offset * 0.37) % 1) - 0.5,
  );
}

/** Σ_a left[i, r, a] right[i, c, a] */
function multiplyFactors(
  left: Float32Array,
  right: Float32Array,
  k: number,
  rows: number,
  columns: number,
): Float32Array {
  const product = new Float32Array(k * rows * columns);
  for (let i = 0; i < k; i++)
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++)
        for (let a = 0; a < 2; a++)
          product[(i * rows + r) * columns + c] =
            (product[(i * rows + r) * columns + c] as number) +
            (left[(i * rows + r) * 2 + a] as number) * (right[(i * columns + c) * 2 + a] as number);
  return product;
}
