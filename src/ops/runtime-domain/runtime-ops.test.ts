import { describe, expect, it } from "vitest";
import { checkDerivatives, type Evaluate } from "../../ad/check.ts";
import { isFloat, type Tensor, toNumbers } from "../../onnx/tensor.ts";
import { evaluate } from "../../runtime/evaluate.ts";
import { nodeRuntime } from "../../runtime/node.ts";
import { upgradeGraph } from "../full-upgrade.ts";
import { buildFurtherSample } from "../samples/build.ts";
import { runtimeSamples } from "../samples/runtime-domain.ts";
import { runtimeDomain } from "./domain.ts";
import { type RuntimeOpName, runtimeOps, runtimeOpsByName } from "./runtime-ops.ts";

const runtime = nodeRuntime({ threads: 1 });
const run: Evaluate = (graph, feeds) => evaluate(runtime, graph, feeds);
const names = Object.keys(runtimeOpsByName) as RuntimeOpName[];
const build = (name: RuntimeOpName, index: number, dtype: "float32" | "float64") => {
  const sample = runtimeSamples[name][index];
  if (!sample) throw new Error(`${name} has no sample ${index}`);
  return buildFurtherSample(name, runtimeDomain, runtimeOpsByName[name], sample, dtype);
};

describe("ops of the runtime's domain", () => {
  for (const name of names) {
    it(`${name} has samples`, () => expect(runtimeSamples[name].length).toBeGreaterThan(0));

    runtimeSamples[name].forEach((_, index) => {
      it(`${name} ${index}: lowered to primitives, has the values of the runtime's own kernel`, async () => {
        const { graph, feeds } = build(name, index, "float32");
        const lowered = upgradeGraph(graph, runtimeOps);
        expect(lowered.nodes.every(({ domain }) => domain === "")).toBe(true);
        expect(upgradeGraph(lowered)).toEqual(lowered);
        const [expected, received] = [await run(graph, feeds), await run(lowered, feeds)];
        for (const { name: output, shape } of graph.outputs) {
          expect(received[output]?.shape).toEqual(shape);
          expect(expected[output]?.shape).toEqual(shape);
          const [a, b] = [toNumbers(received[output] as Tensor), toNumbers(expected[output] as Tensor)];
          const scale = Math.max(1, ...b.map(Math.abs));
          a.forEach((value, position) => {
            const difference = Math.abs(value - (b[position] as number));
            expect(difference, `${output}[${position}]`).toBeLessThan(1e-5 * scale);
          });
        }
      });

      it(`${name} ${index}: derivatives and their transposes`, async () => {
        const dtype = runtimeSamples[name][index]?.dtype ?? "float64";
        const { graph: given, feeds, wrt } = build(name, index, dtype);
        const graph = upgradeGraph(given, runtimeOps);
        // Differences do not tell the derivatives of rounding.
        if (wrt.length === 0 || !graph.outputs.some((output) => isFloat(output.dtype))) {
          expect((await run(graph, feeds)).y0?.shape).toEqual(graph.outputs[0]?.shape);
          return;
        }
        const report = await checkDerivatives(graph, { evaluate: run, feeds, wrt });
        expect(report.forwardError).toBeLessThan(dtype === "float64" ? 1e-8 : 1e-2);
        expect(report.transposeError).toBeLessThan(dtype === "float64" ? 1e-12 : 1e-5);
      });
    });
  }
});
