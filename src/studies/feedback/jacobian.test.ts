import { describe, expect, it } from "vitest";
import { crossEntropy } from "../../losses/cross-entropy.ts";
import { mlp } from "../../models/mlp.ts";
import { compileObjective } from "../../objective/compile-objective.ts";
import { float32, int64 } from "../../onnx/tensor.ts";
import { nodeRuntime } from "../../runtime/node.ts";
import { matrixCosine, meanJacobians, reduced, throughWeights } from "./jacobian.ts";

const runtime = nodeRuntime({ threads: 1 });
const [batch, inputs, first, second, outputs] = [6, 5, 7, 4, 3];

describe("meanJacobians", () => {
  it("is the product of the weights behind a site, over the examples whose ReLUs let it through", async () => {
    const model = mlp({ input: [inputs], hidden: [first, second], outputs, seed: 3 });
    const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch });
    const numbers = Float32Array.from({ length: batch * inputs }, (_, index) => Math.sin(3 * index + 1));
    const feeds = {
      ...objective.parameters,
      input: float32(numbers, [batch, inputs]),
      labels: int64(Array<number>(batch).fill(0)),
    };
    const jacobians = await meanJacobians(objective, { feeds, read: async () => undefined });
    const matrices = await jacobians.measure(0, 2);
    await jacobians.release();

    const numbersOf = (name: string) => objective.parameters[name]?.data as Float32Array;
    const layer = (x: readonly number[], name: string, width: number) =>
      Array.from({ length: width }, (_, unit) =>
        x.reduce(
          (sum, value, i) => sum + value * (numbersOf(`${name}.weight`)[unit * x.length + i] as number),
          numbersOf(`${name}.bias`)[unit] as number,
        ),
      );
    const relu = (x: readonly number[]) => x.map((value) => Math.max(0, value));
    const hidden = Array.from({ length: batch }, (_, example) => {
      const one = relu(
        layer([...numbers.subarray(example * inputs, (example + 1) * inputs)], "layer1", first),
      );
      return { one, two: relu(layer(one, "layer2", second)) };
    });
    // ∂logit_o/∂h_u = Σ_j W3[o, j] [h2_j > 0] W2[j, u]
    const behindFirst = (o: number, u: number, two: readonly number[]) =>
      two.reduce(
        (sum, value, j) =>
          sum +
          (value > 0 ? 1 : 0) *
            (numbersOf("layer3.weight")[o * second + j] as number) *
            (numbersOf("layer2.weight")[j * first + u] as number),
        0,
      );
    expect(matrices.map(({ data }) => data.length)).toEqual([outputs * first, outputs * second]);
    for (let o = 0; o < outputs; o++) {
      for (let u = 0; u < first; u++) {
        const passed = hidden.filter(({ one }) => (one[u] as number) > 0);
        const sum = passed.reduce((total, { two }) => total + behindFirst(o, u, two), 0);
        expect(matrices[0]?.data[o * first + u]).toBeCloseTo(sum / Math.max(1, passed.length), 5);
      }
      for (let j = 0; j < second; j++) {
        const isReached = hidden.some(({ two }) => (two[j] as number) > 0);
        const weight = numbersOf("layer3.weight")[o * second + j] as number;
        expect(matrices[1]?.data[o * second + j]).toBeCloseTo(isReached ? weight : 0, 5);
      }
    }
  });
});

describe("pictures of a matrix", () => {
  it("show a row through the weights, each pixel by its deviation", () => {
    const seen = throughWeights(
      Float32Array.of(2, -1),
      Float32Array.of(1, 0, 3, 0, 4, 1),
      Float32Array.of(1, 0.5, 2),
    );
    expect([...seen]).toEqual([2, -2, 10]);
  });

  it("are averaged in squares where they are large, and kept where they are small", () => {
    const small = { height: 2, width: 2, data: Float32Array.of(1, 2, 3, 4) };
    expect(reduced(small)).toBe(small);
    const side = 24;
    const data = Float32Array.from({ length: side * side }, (_, index) =>
      Math.floor(index / side) < 2 && index % side < 2 ? index : 0,
    );
    const { height, width, data: averages } = reduced({ height: side, width: side, data });
    expect([height, width, averages.length]).toEqual([12, 12, 144]);
    expect(averages[0]).toBe((0 + 1 + side + side + 1) / 4);
    expect(averages.subarray(1).every((value) => value === 0)).toBe(true);
  });

  it("compare by the cosine", () => {
    expect(matrixCosine(Float32Array.of(1, 2), Float32Array.of(2, 4))).toBeCloseTo(1, 6);
    expect(matrixCosine(Float32Array.of(1, 0), Float32Array.of(0, 5))).toBe(0);
    expect(matrixCosine(Float32Array.of(0, 0), Float32Array.of(0, 5))).toBe(0);
  });
});
