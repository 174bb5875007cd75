/** Rules say ops by their methods, so that formulas read as formulas; a name in a string is left where it is data. */
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
  "ops/samples/build.ts": ["a sample's op is the one that is checked"],
};

it("nodes are emitted by the ops' methods", () => {
  const files = folders.flatMap((folder) =>
    readdirSync(join(source, folder), { recursive: true, encoding: "utf8" })
      .map((name) => `${folder}/${name.replaceAll("\\", "/")}`)
      .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts")),
  );
  expect(files.length).toBeGreaterThan(100);
  const counts = Object.fromEntries(
    files
      // The builder defines the methods.
      .filter((name) => name !== "ops/builder.ts")
      .map((name) => [
        name,
        [...readFileSync(join(source, name), "utf8").matchAll(/\.(?:emit|node)\(/g)].length,
      ])
      .filter(([, count]) => count !== 0),
  );
  expect(counts).toEqual(
    Object.fromEntries(Object.entries(byName).map(([name, reasons]) => [name, reasons.length])),
  );
});
