import { describe, expect, it } from "vitest";
import { derivativeGraph } from "../src/ad/derivatives.ts";
import { secondDerivativeGraph } from "../src/ad/second-derivative.ts";
import { attachLoss } from "../src/losses/loss.ts";
import { meanSquaredError } from "../src/losses/mean-squared-error.ts";
import { activations } from "../src/models/activations.ts";
import { mlp } from "../src/models/mlp.ts";
import { elementCount, float64, type Tensor } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/builder.ts";
import { upgradeGraph } from "../src/ops/upgrade.ts";
import { evaluate } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { readGolden, relativeError } from "./golden.ts";
import { openGolden, type SmallModelGolden } from "./model-goldens.ts";

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
