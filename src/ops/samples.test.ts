import { describe, expect, it } from "vitest";
import { checkDerivatives, type Evaluate } from "../ad/check.ts";
import { derivativeGraph } from "../ad/derivatives.ts";
import type { Graph, Node } from "../onnx/graph.ts";
import { isFloat, type Tensor, toNumbers } from "../onnx/tensor.ts";
import { evaluate } from "../runtime/evaluate.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { catalogue, opNames } from "./catalogue.ts";
import { upgradeGraph } from "./full-upgrade.ts";
import { buildSample, spread } from "./samples/build.ts";
import { samples } from "./samples.ts";
import { fasterGraph } from "./upgrade.ts";

const runtime = nodeRuntime({ threads: 1 });
const run: Evaluate = (graph, feeds) => evaluate(runtime, graph, feeds);

/** The derivative graph, or undefined where the derivative is zero everywhere. */
function dependsOn(graph: Graph, forms: ReadonlyMap<string, "stacked">): Graph | undefined {
  try {
    return derivativeGraph(graph, forms, 2, "y0");
  } catch (error) {
    expect(String(error)).toContain("does not depend on");
    return undefined;
  }
}

/** That another form of a graph has the same outputs. */
async function expectSame(graph: Graph, other: Graph, feeds: Readonly<Record<string, Tensor>>) {
  const [expected, received] = [await run(graph, feeds), await run(other, feeds)];
  for (const { name, shape } of graph.outputs) {
    expect(received[name]?.shape).toEqual(shape);
    const [a, b] = [toNumbers(received[name] as Tensor), toNumbers(expected[name] as Tensor)];
    const scale = Math.max(1, ...b.map(Math.abs));
    a.forEach((value, position) => {
      expect(Math.abs(value - (b[position] as number)), `${name}[${position}]`).toBeLessThan(1e-5 * scale);
    });
  }
}

describe("composite ops", () => {
  for (const op of opNames) {
    if (!catalogue[op].lower) continue;
    samples[op].forEach((sample, index) => {
      it(`${op} ${index}: lowered to primitives, has the values of the runtime's own kernel`, async () => {
        const { graph, feeds } = buildSample(op, sample, "float32");
        const lowered = upgradeGraph(graph);
        // Nothing is left to lower.
        expect(upgradeGraph(lowered)).toEqual(lowered);
        await expectSame(graph, lowered, feeds);
      });
    });
  }
});

describe("ops with a faster form", () => {
  it("have it where sizes are right, with the values of the runtime's own kernel", async () => {
    for (const op of opNames) {
      if (!catalogue[op].faster) continue;
      const forms = samples[op].map((sample) => {
        const { graph, feeds } = buildSample(op, sample, "float32");
        return { graph, feeds, faster: fasterGraph(graph) };
      });
      const isSame = (one: Node, other: Node | undefined) =>
        one.op === other?.op && one.inputs.join() === other.inputs.join();
      const changed = forms.filter(
        ({ graph, faster }) => !graph.nodes.every((node, index) => isSame(node, faster.nodes[index])),
      );
      expect(changed.length, op).toBeGreaterThan(0);
      expect(changed.length, op).toBeLessThan(forms.length);
      for (const { graph, faster, feeds } of changed) await expectSame(graph, faster, feeds);
    }
  });
});

describe("every op", () => {
  it("has samples", () => {
    for (const name of opNames) expect(samples[name].length, name).toBeGreaterThan(0);
  });

  for (const op of opNames) {
    samples[op].forEach((sample, index) => {
      it(`${op} ${index}: forward derivative, transpose, and the derivative's derivative`, async () => {
        const dtype = sample.dtype ?? "float64";
        const { graph: given, feeds, wrt } = buildSample(op, sample, dtype);
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
        const tangents = wrt.map((name, position) => {
          const shape = [2, ...(feeds[name]?.shape ?? [])];
          return [`tangent/${name}`, spread({ range: [-1, 1], shape }, dtype, position + 5)] as const;
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
