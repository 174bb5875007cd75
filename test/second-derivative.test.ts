import { describe, expect, it } from "vitest";
import { secondDerivativeGraph } from "../src/ad/second-derivative.ts";
import { elementCount, float32, float64, type Tensor } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { evaluate } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { readGolden } from "./golden.ts";
import { openGolden, type SmallModelGolden } from "./model-goldens.ts";
import { relativeError } from "./relative-error.ts";

interface SecondGolden {
  readonly name: string;
  /** ∇f·v, [k] */
  readonly first: number[];
  /** vᵀ∇²f v, [k] */
  readonly second: number[];
}

const runtime = nodeRuntime({ threads: 1 });
const number = (tensor: Tensor | undefined) => Number(tensor?.data[0]);

/** Row i of stacked tangents. */
function row({ dtype, shape, data }: Tensor, i: number): Tensor {
  const size = elementCount(shape.slice(1));
  return { dtype, shape: [1, ...shape.slice(1)], data: data.slice(i * size, (i + 1) * size) } as Tensor;
}

describe("second directional derivatives equal PyTorch's", () => {
  const seconds = readGolden<SecondGolden[]>("second-derivatives.golden.json");
  for (const golden of readGolden<SmallModelGolden[]>("models.golden.json"))
    it(golden.name, async () => {
      const { objective, feeds, weightTangents } = await openGolden(golden, runtime);
      const wanted = seconds.find(({ name }) => name === golden.name);
      const graph = secondDerivativeGraph(objective.graph, Object.keys(objective.parameters), "loss");
      const [first, second]: [number[], number[]] = [[], []];
      for (let i = 0; i < golden.k; i++) {
        const direction = Object.entries(weightTangents).map(([name, all]) => [name, row(all, i)] as const);
        const results = await evaluate(runtime, graph, { ...feeds, ...Object.fromEntries(direction) });
        expect(Math.abs(number(results.loss) / golden.loss - 1)).toBeLessThan(1e-5);
        first.push(number(results.first));
        second.push(number(results.second));
      }
      expect(relativeError(first, wanted?.first ?? [])).toBeLessThan(1e-5);
      expect(relativeError(second, wanted?.second ?? [])).toBeLessThan(1e-5);
    });
});

describe("second directional derivatives in closed form", () => {
  const quartic = new GraphBuilder("quartic");
  const x = quartic.parameter("x", float64([0.5, -2]));
  const squares = quartic.mul(x, x);
  const sum = quartic.reduceSum(quartic.mul(squares, squares), { keepdims: 0 });
  const graph = quartic.build({ sum, each: squares, flat: quartic.mul(x, 3) });
  const u = { "tangent/x": float64([3, 0.25], [1, 2]) };

  it("of Σ x⁴: first 4x³·u, second 12x²·u²", async () => {
    const { first, second } = await evaluate(runtime, secondDerivativeGraph(graph, ["x"], "sum"), u);
    expect(number(first)).toBeCloseTo(4 * 0.5 ** 3 * 3 + 4 * (-2) ** 3 * 0.25, 12);
    expect(number(second)).toBeCloseTo(12 * 0.5 ** 2 * 3 ** 2 + 12 * 2 ** 2 * 0.25 ** 2, 12);
  });

  it("of each number of an output", async () => {
    const results = await evaluate(runtime, secondDerivativeGraph(graph, ["x"], "each"), u);
    expect(results.first).toMatchObject({ shape: [2], data: Float64Array.of(3, -1) });
    expect(results.second).toMatchObject({ shape: [2], data: Float64Array.of(18, 0.125) });
  });

  it("of a linear function: zeros", async () => {
    const { second } = await evaluate(runtime, secondDerivativeGraph(graph, ["x"], "flat"), u);
    expect(second).toMatchObject({ shape: [2], data: Float64Array.of(0, 0) });
  });

  it("of a value that does not depend on the parameter: an error that names both", () => {
    const other = new GraphBuilder("other");
    const y = other.parameter("y", float64([1]));
    const twice = other.mul(y, 2);
    const thrice = other.mul(other.parameter("z", float64([1])), 3);
    const graphOfBoth = other.build({ twice, thrice });
    expect(() => secondDerivativeGraph(graphOfBoth, ["y"], "thrice")).toThrow(
      /'thrice' does not depend on 'y'/,
    );
  });
});

it("second directional derivatives with batch statistics equal differences of the first ones", async () => {
  const { objective, feeds } = await openGolden(
    readGolden<SmallModelGolden[]>("models.golden.json").find(({ name }) => name === "resnet18 batch") ??
      ({} as SmallModelGolden),
    runtime,
    "batch",
  );
  const names = Object.keys(objective.parameters);
  const graph = secondDerivativeGraph(objective.graph, names, "loss");
  const direction = Object.entries(objective.parameters).map(
    ([name, { shape, data }]) =>
      [
        name,
        float32(
          data.map((value, place) => Math.sin(3 * place + value)),
          shape,
        ),
      ] as const,
  );
  const tangents = direction.map(([name, { shape, data }]) => [
    `tangent/${name}`,
    float32(data as Float32Array, [1, ...shape]),
  ]);
  const at = async (step: number) => {
    const moved = direction.map(([name, tensor]) => {
      const start = objective.parameters[name]?.data ?? [];
      return [
        name,
        float32(
          (tensor.data as Float32Array).map((value, i) => (start[i] ?? 0) + step * value),
          tensor.shape,
        ),
      ];
    });
    const own = { ...feeds, ...objective.statistics, ...Object.fromEntries(moved) };
    const { first, second } = await evaluate(runtime, graph, { ...own, ...Object.fromEntries(tangents) });
    return { first: number(first), second: number(second) };
  };
  const step = 1e-4;
  const [before, here, after] = [await at(-step), await at(0), await at(step)];
  expect(relativeError([here.second], [(after.first - before.first) / (2 * step)])).toBeLessThan(2e-2);
});
