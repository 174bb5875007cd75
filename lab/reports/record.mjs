// Records two runs in Node, which the panel of reports opens at rest: node lab/reports/record.mjs, after a build.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { zipSync } from "fflate";
import { glyphs, mlp, train } from "forwardgrad";
import { nodeRuntime } from "forwardgrad/node";
import { memoryStore } from "forwardgrad/web";

const data = glyphs({ train: 8000, test: 1000 });
const model = mlp({ input: [1, 28, 28], hidden: [64], outputs: 10, normalization: data.normalization });
const files = {};
for (const [name, perturb] of [
  ["activations", "activations"],
  ["weights", "weights"],
]) {
  const store = memoryStore();
  const options = {
    model,
    examples: data.train,
    test: data.test,
    runtime: nodeRuntime({ threads: 1 }),
    epochs: 8,
  };
  for await (const _ of train({ ...options, perturb, store }));
  for (const file of ["config.json", "metrics.jsonl"]) files[`runs/${name}/${file}`] = await store.read(file);
}
writeFileSync(
  join(import.meta.dirname, "../example/runs.zip"),
  zipSync(files, { level: 9, mtime: "2026-01-01" }),
);
