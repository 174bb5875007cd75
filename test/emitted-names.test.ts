/**
 * Names of graphs that must not be spelled in many places: ops, which rules say by their methods so that formulas read as
 * formulas, and what derived graphs have beside the model's own inputs and outputs.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";

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
  "ops/elementwise/arithmetic.ts": [
    "a logarithm moves before the ops that only move elements, whichever they are",
  ],
  "ops/runtime-domain/products.ts": [
    "Gemm with the attributes that a file gives it",
    "Conv with the attributes that a file gives it",
  ],
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
