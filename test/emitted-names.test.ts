/**
 * Names of graphs that must not be spelled in many places: ops, which rules say by their methods so that formulas read as
 * formulas, and what derived graphs have beside the model's own inputs and outputs.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, posix, resolve } from "node:path";
import { expect, it } from "vitest";
import { methodName } from "../src/ops/builder.ts";
import { furtherRules } from "../src/ops/catalogue.ts";

const source = resolve(import.meta.dirname, "../src");

const folders = ["ops", "ad", "losses", "models", "tangents", "objective", "estimate"];

/** Where a node is emitted by the name of its op, and why. */
const byName: Readonly<Record<string, readonly string[]>> = {
  "ops/rules.ts": ["foldIntoBatch emits the op of the node that it is given"],
  "ops/reductions/reduce.ts": [
    "all reductions share how a scalar loses its axes",
    "ReduceSum and ReduceMean share one rule",
  ],
  "ops/reductions/pool.ts": ["MaxPool's second output, the indices, which its method leaves out"],
  "ops/reductions/normalization.ts": ["LayerNormalization with its statistics, which its method leaves out"],
  "ops/reductions/lowered-normalization.ts": [
    "GroupNormalization by LayerNormalization with its statistics, which its method leaves out",
  ],
  "ops/elementwise/arithmetic.ts": [
    "a logarithm moves before the ops that only move elements, whichever they are",
  ],
  "ops/runtime-domain/products.ts": [
    "Gemm with the attributes that a file gives it",
    "Conv with the attributes that a file gives it",
  ],
  "ops/runtime-domain/quantized.ts": ["DynamicQuantizeLinear with its scale and zero point"],
  "ops/samples/build.ts": ["a sample's op is the one that is checked"],
};

const filesIn = (folder: string) =>
  readdirSync(join(source, folder), { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name).replaceAll("\\", "/"))
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"));
const codeOf = (name: string) =>
  readFileSync(join(source, name), "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");

it("nodes are emitted by the ops' methods", () => {
  const files = folders.flatMap(filesIn);
  expect(files.length).toBeGreaterThan(100);
  const counts = Object.fromEntries(
    files
      // The builder defines the methods.
      .filter((name) => name !== "ops/builder.ts")
      .map((name) => [name, [...codeOf(name).matchAll(/\.(?:emit|node)\(/g)].length])
      .filter(([, count]) => count !== 0),
  );
  expect(counts).toEqual(
    Object.fromEntries(Object.entries(byName).map(([name, reasons]) => [name, reasons.length])),
  );
});

/** The files of `ops/` that are there without the rules of further ops, as paths in src. */
function everydayFiles(): string[] {
  const reached = new Set<string>();
  const follow = (name: string) => {
    if (reached.has(name)) return;
    reached.add(name);
    for (const [, path = ""] of codeOf(name).matchAll(/^(?:import|\}) [^"]*from "(\.[^"]*)"/gm)) {
      const file = posix.join(posix.dirname(name), path);
      if (file.startsWith("ops/")) follow(file);
    }
  };
  for (const name of ["ops/find-op.ts", "ops/builder.ts", "ops/upgrade.ts", "ops/rules.ts"]) follow(name);
  return [...reached];
}

it("ops beyond the everyday ones are emitted only where their rules are sure to be there", () => {
  const others = filesIn(".").filter(
    // Layers of convolutional models and transformers are for those, functions for functionGraph, which bring the rules.
    (name) => !/^(ops|studies|cli|functions)\//.test(name) && name !== "models/layers.ts",
  );
  const bringing = /from "[^"]*ops\/(?:full-builder|full-upgrade|catalogue)\.ts"/;
  const files = [...everydayFiles(), ...others.filter((name) => !bringing.test(codeOf(name)))];
  expect(files.length).toBeGreaterThan(200);
  expect(files).toContain("ops/products/matmul.ts");
  expect(files).not.toContain("ops/products/conv.ts");
  const methods = Object.keys(furtherRules).map(methodName).join("|");
  const further = new RegExp(`\\bg\\.(?:${methods})\\(`);
  expect(files.filter((name) => further.test(codeOf(name)))).toEqual([]);
  expect(further.test("g.conv(x, weight)")).toBe(true);
});

it("inputs and outputs of derived graphs have their names from ad/names.ts", () => {
  const prefix = /["'`](?:tangent|gradient|linear|gram|statistics)\//;
  const whole = /"(?:losses|derivatives|coefficients)"/;
  const inGraphs = /\b(?:input|value|getValue|get)\([^)"]*"(?:loss|labels|target|gram)"/;
  const isSpelled = (code: string) => [prefix, whole, inGraphs].some((pattern) => pattern.test(code));
  // What a graph itself is called is another name.
  const code = (name: string) => codeOf(name).replace(/new GraphBuilder\("[^"]*"/g, "");
  // Aggregators see no graph; their own names are others.
  const files = filesIn(".").filter((name) => !name.startsWith("aggregate/"));
  expect(files.filter((name) => isSpelled(code(name)))).toEqual(["ad/names.ts"]);
  for (const spelled of [`g.input(\`tangent/\${name}\`)`, 'getValue(graph, "loss")', '["losses"]'])
    expect(isSpelled(spelled), spelled).toBe(true);
});
