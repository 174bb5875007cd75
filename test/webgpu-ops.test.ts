import { describe, expect, it } from "vitest";
import { derivativeGraph } from "../src/ad/derivatives.ts";
import { gradientGraph } from "../src/ad/gradient.ts";
import type { Graph } from "../src/onnx/graph.ts";
import { isFloat, type Tensor, toNumbers } from "../src/onnx/tensor.ts";
import { opNames } from "../src/ops/catalogue.ts";
import { upgradeGraph } from "../src/ops/full-upgrade.ts";
import { buildSample, spread } from "../src/ops/samples/build.ts";
import type { Sample } from "../src/ops/samples/sample.ts";
import { samples } from "../src/ops/samples.ts";
import { evaluate } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { withoutWebgpu } from "./webgpu.ts";

const cpu = nodeRuntime({ threads: 1 });
const webgpu = nodeRuntime({ device: "webgpu", threads: 1 });

/**
 * Compiling shaders in software takes minutes for all samples (WEBGPU_SAMPLES=all), so by default it is the first one of
 * each op, and all of those whose kernels have gaps.
 */
const thorough = new Set<string>([
  "BatchNormalization",
  "Conv",
  "Einsum",
  "LayerNormalization",
  "ReduceL1",
  "ReduceL2",
  "ReduceSumSquare",
  "Tile",
]);
const isRun = (op: string, index: number, { attributes = {} }: Sample) =>
  index === 0 || thorough.has(op) || "antialias" in attributes || process.env.WEBGPU_SAMPLES === "all";

/** What fails outright, with the kernel's own error: Tile of a scalar. */
const failing = new Set(["Tile 2"]);

/** The graph's derivative and gradient, which compute its values too; the graph itself where it has none. */
function graphsOf(graph: Graph, wrt: readonly string[]): Graph[] {
  if (wrt.length === 0 || !graph.outputs.some(({ dtype }) => isFloat(dtype))) return [graph];
  const forms = new Map(wrt.map((name) => [name, "stacked"] as const));
  try {
    return [derivativeGraph(graph, forms, 2, "y0"), gradientGraph(graph, wrt, "y0")];
  } catch (error) {
    expect(String(error)).toContain("does not depend on");
    return [graph];
  }
}

/** Largest |a − b| next to 1 and to the largest |b|; infinite values must be equal. */
function largestError(a: Tensor | undefined, b: Tensor | undefined): number {
  const [received, expected] = [a, b].map((tensor) => (tensor ? toNumbers(tensor) : []));
  if (received?.length !== expected?.length) return Number.POSITIVE_INFINITY;
  const finite = expected?.filter(Number.isFinite) ?? [];
  const scale = Math.max(1, ...finite.map(Math.abs));
  return (expected ?? []).reduce((largest, value, place) => {
    const other = received?.[place] as number;
    const error = Object.is(value, other) || value === other ? 0 : Math.abs(value - other) / scale;
    return Math.max(largest, Number.isNaN(error) ? Number.POSITIVE_INFINITY : error);
  }, 0);
}

describe.skipIf(withoutWebgpu)("every op on WebGPU: values, derivatives and gradients are the CPU's", () => {
  for (const op of opNames)
    it(op, async () => {
      for (const [index, sample] of samples[op].entries()) {
        if (!isRun(op, index, sample)) continue;
        const { graph: given, feeds, wrt } = buildSample(op, sample, sample.dtype ?? "float32");
        const tangents = wrt.map((name, place) => {
          const shape = [2, ...(feeds[name]?.shape ?? [])];
          const numbers = spread({ range: [-1, 1], shape }, sample.dtype ?? "float32", place + 5);
          return [`tangent/${name}`, numbers] as const;
        });
        const all = { ...feeds, ...Object.fromEntries(tangents) };
        for (const graph of graphsOf(upgradeGraph(given), wrt)) {
          const expected = await evaluate(cpu, graph, all);
          const result = evaluate(webgpu, graph, all);
          if (failing.has(`${op} ${index}`)) {
            await expect(result).rejects.toThrow(`running ${op} node`);
            continue;
          }
          const received = await result;
          for (const name of Object.keys(expected))
            expect(
              largestError(received[name], expected[name]),
              `${index} ${graph.name} ${name}`,
            ).toBeLessThan(2e-5);
        }
      }
    });
});
