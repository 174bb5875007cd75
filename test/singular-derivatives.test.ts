import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { derivativeGraph } from "../src/ad/derivatives.ts";
import { gradientGraph } from "../src/ad/gradient.ts";
import { importGraph } from "../src/objective/importing/import-model.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { type Graph, getValue, initializersToInputs } from "../src/onnx/graph.ts";
import { elementCount, float32, type Tensor, tensorOf, toNumbers } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { reshape } from "../src/ops/rules.ts";
import { evaluate } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";

/** A number as JSON holds it. */
type Spelled = number | "inf" | "-inf";

function numberOf(spelled: Spelled): number {
  return typeof spelled === "number" ? spelled : Number(spelled.replace("inf", "Infinity"));
}

/** A model at a singular point; `cases/singular-derivatives/make.py` says where its gradients come from. */
interface Case {
  readonly name: string;
  readonly x: { readonly shape: number[]; readonly data: Spelled[] };
  /** Weights of the outputs' sum. */
  readonly target: number[];
  /** By parameter. */
  readonly gradients: Readonly<Record<string, Spelled[]>>;
  /** Whether each number alone has to be right, however small. */
  readonly relative?: boolean;
}

const folder = new URL("cases/singular-derivatives/", import.meta.url);
const cases = JSON.parse(readFileSync(new URL("cases.golden.json", folder), "utf8")) as Case[];
const runtime = nodeRuntime({ threads: 1 });

/** Σ target ⊙ y as a scalar `f`, with the parameters as inputs. */
async function weightedSum({ name, target }: Case, parameters: readonly string[]) {
  const bytes = new Uint8Array(readFileSync(new URL(`${name}.onnx`, folder)));
  const imported = await importGraph(decodeModel(bytes, { source: name }), { runtime, batch: 1 });
  const moved = initializersToInputs({ ...imported, parameters }, parameters);
  const g = new GraphBuilder(name, moved);
  const y = getValue(moved, imported.outputs[0]?.name ?? "");
  const flat = reshape(g, y, [elementCount(y.shape)]);
  const graph = g.build({ f: g.reduceSum(g.mul(flat, g.constant(float32(target))), { keepdims: 0 }) });
  const values = parameters.map((one) => [one, imported.initializers.get(one) as Tensor] as const);
  return { graph, values: Object.fromEntries(values) };
}

/** The derivative along each number of a parameter. */
async function forward(graph: Graph, feeds: Record<string, Tensor>, name: string): Promise<number[]> {
  const { shape } = getValue(graph, name);
  const n = elementCount(shape);
  if (n === 0) return [];
  const unit = Array.from({ length: n * n }, (_, place) => (place % (n + 1) === 0 ? 1 : 0));
  const derived = derivativeGraph(graph, new Map([[name, "stacked"]]), n, "f");
  const results = await evaluate(runtime, derived, {
    ...feeds,
    [`tangent/${name}`]: tensorOf("float32", unit, [n, ...shape]),
  });
  return toNumbers(results.derivatives as Tensor);
}

function expectClose(received: readonly number[], expected: readonly Spelled[], isRelative = false) {
  const numbers = expected.map(numberOf);
  const largest = Math.max(...numbers.map(Math.abs).filter(Number.isFinite), 1e-30);
  expect(received.length).toBe(numbers.length);
  received.forEach((value, place) => {
    const wanted = numbers[place] as number;
    if (!Number.isFinite(wanted)) expect(value).toBe(wanted);
    else
      expect(Math.abs(value - wanted), `[${place}]: ${value}, expected ${wanted}`).toBeLessThanOrEqual(
        1e-5 * (isRelative ? Math.abs(wanted) : largest),
      );
  });
}

describe("derivatives at singular points, forward and reverse", () => {
  for (const one of cases) {
    it(one.name, async () => {
      const names = Object.keys(one.gradients);
      const { graph, values } = await weightedSum(one, names);
      const x = graph.inputs.find((input) => !names.includes(input.name));
      const feeds: Record<string, Tensor> = { ...values };
      if (x) feeds[x.name] = float32(one.x.data.map(numberOf), one.x.shape);
      const exact = await evaluate(runtime, gradientGraph(graph, names, "f"), feeds);
      for (const name of names) {
        const expected = one.gradients[name] ?? [];
        expectClose(toNumbers(exact[`gradient/${name}`] as Tensor), expected, one.relative);
        expectClose(await forward(graph, feeds, name), expected, one.relative);
      }
    });
  }
});
