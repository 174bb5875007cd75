import { describe, expect, it } from "vitest";
import { checkDerivatives, type Evaluate } from "../ad/check.ts";
import { derivativeGraph } from "../ad/derivatives.ts";
import type { Graph } from "../onnx/graph.ts";
import { type DType, elementCount, isFloat, type Tensor, tensorOf, toNumbers } from "../onnx/tensor.ts";
import { evaluate } from "../runtime/evaluate.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { GraphBuilder } from "./builder.ts";
import { catalogue, opNames } from "./catalogue.ts";
import type { Sample, SampleInput } from "./samples/sample.ts";
import { samples } from "./samples.ts";
import { upgradeGraph } from "./upgrade.ts";

const runtime = nodeRuntime({ threads: 1 });
const run: Evaluate = (graph, feeds) => evaluate(runtime, graph, feeds);

/** Values spread over the range, none within 0.03 of 0, so that no kink lies inside the difference. */
function spread(input: SampleInput, dtype: DType, offset: number): Tensor {
  const [low, high] = input.range;
  const values = Array.from({ length: elementCount(input.shape) }, (_, index) => {
    const multiple = (index + 1 + 17 * offset) * 0.7548776662466927;
    const value = low + (high - low) * (multiple - Math.floor(multiple));
    return Math.abs(value) < 0.03 ? value + 0.1 : value;
  });
  return tensorOf(dtype, values, input.shape);
}

function build(
  op: string,
  sample: Sample,
  dtype: DType,
): { graph: Graph; feeds: Record<string, Tensor>; wrt: string[] } {
  const g = new GraphBuilder(op);
  const feeds: Record<string, Tensor> = {};
  const wrt: string[] = [];
  const operands = sample.inputs.map((input, index) => {
    if (!input) return undefined;
    if ("data" in input) {
      return g.constant(
        isFloat(input.dtype) ? tensorOf(dtype, input.data as Float64Array, input.shape) : input,
      );
    }
    const name = `x${index}`;
    feeds[name] = spread(input, dtype, index);
    wrt.push(name);
    return g.input(name, dtype, input.shape);
  });
  const outputs = g.node(op, operands, sample.attributes, { outputs: sample.outputs });
  const graph = g.build(Object.fromEntries(outputs.map((value, index) => [`y${index}`, value])));
  return {
    graph: { ...graph, opset: sample.opset ?? graph.opset },
    feeds,
    wrt,
  };
}

/** The derivative graph, or undefined where the derivative is zero everywhere. */
function dependsOn(graph: Graph, forms: ReadonlyMap<string, "stacked">): Graph | undefined {
  try {
    return derivativeGraph(graph, forms, 2, "y0");
  } catch (error) {
    expect(String(error)).toContain("does not depend on");
    return undefined;
  }
}

describe("composite ops", () => {
  for (const op of opNames) {
    if (!catalogue[op].lower) continue;
    samples[op].forEach((sample, index) => {
      it(`${op} ${index}: lowered to primitives, has the values of the runtime's own kernel`, async () => {
        const { graph, feeds } = build(op, sample, "float32");
        const lowered = upgradeGraph(graph);
        // Nothing is left to lower.
        expect(upgradeGraph(lowered)).toEqual(lowered);
        const [expected, received] = [await run(graph, feeds), await run(lowered, feeds)];
        for (const { name, shape } of graph.outputs) {
          expect(received[name]?.shape).toEqual(shape);
          const [a, b] = [toNumbers(received[name] as Tensor), toNumbers(expected[name] as Tensor)];
          const scale = Math.max(1, ...b.map(Math.abs));
          a.forEach((value, place) => {
            expect(Math.abs(value - (b[place] as number)), `${name}[${place}]`).toBeLessThan(1e-5 * scale);
          });
        }
      });
    });
  }
});

describe("every op", () => {
  it("has samples", () => {
    for (const name of opNames) expect(samples[name].length, name).toBeGreaterThan(0);
  });

  for (const op of opNames) {
    samples[op].forEach((sample, index) => {
      it(`${op} ${index}: forward derivative, transpose, and the derivative's derivative`, async () => {
        const dtype = sample.dtype ?? "float64";
        const { graph: given, feeds, wrt } = build(op, sample, dtype);
        const graph = upgradeGraph(given);
        if (wrt.length === 0 || !graph.outputs.some((output) => isFloat(output.dtype))) {
          const result = await run(graph, feeds);
          expect(result.y0?.shape).toEqual(graph.outputs[0]?.shape);
          return;
        }
        const report = await checkDerivatives(graph, { evaluate: run, feeds, wrt });
        // Cast's sample ends in float32, so its differences have that precision.
        const isExact = dtype === "float64" && op !== "Cast";
        expect(report.forwardError).toBeLessThan(isExact ? 1e-8 : 1e-2);
        expect(report.transposeError).toBeLessThan(isExact ? 1e-12 : 1e-5);
        const forms = new Map(wrt.map((name) => [name, "stacked"] as const));
        if (!isExact || !Object.values(report.derivatives).every((tangent) => tangent.data.length > 0))
          return;
        const derivative = dependsOn(graph, forms);
        if (!derivative) return;
        const tangents = wrt.map((name, place) => {
          const shape = [2, ...(feeds[name]?.shape ?? [])];
          return [`tangent/${name}`, spread({ range: [-1, 1], shape }, dtype, place + 5)] as const;
        });
        const second = await checkDerivatives(derivative, {
          evaluate: run,
          feeds: { ...feeds, ...Object.fromEntries(tangents) },
        });
        expect(second.forwardError).toBeLessThan(1e-8);
        expect(second.transposeError).toBeLessThan(1e-12);
      });
    });
  }
});
