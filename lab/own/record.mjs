// Records a run of the example in Node, which the panel shows before anybody drops a file: node lab/own/record.mjs, after a build.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { predict, train } from "forwardgrad";
import { tableDataset } from "forwardgrad/data";
import { nodeRuntime } from "forwardgrad/node";

const read = (name) => new Uint8Array(readFileSync(join(import.meta.dirname, "../example", name)));
const data = tableDataset(
  { name: "turned-digits.csv", bytes: read("turned-digits.csv") },
  { target: "digit", targets: "classes" },
);
const runtime = nodeRuntime({ threads: 1 });
const shape = data.test.shape;
const counted = { count: 150, shape, inputs: data.test.inputs.slice(0, 150 * 64) };
async function ask(model) {
  const labels = [];
  for await (const { label } of predict({ model, examples: counted, runtime })) labels.push(label);
  return labels;
}
const score = (labels) =>
  labels.filter((label, row) => label === data.test.labels[row]).length / labels.length;
const model = read("digits.onnx");
const before = await ask(model.slice());
const curves = { steps: [0], losses: [null], shares: [score(before)] };
let now;
for await (const event of train({ model, examples: data.train, test: data.test, runtime, epochs: 20 })) {
  if (event.kind === "step") {
    curves.steps.push(event.step);
    curves.losses.push(Number(event.loss.toFixed(3)));
    curves.shares.push(null);
  }
  if (event.kind === "epoch")
    curves.shares[curves.shares.length - 1] = Number(event.validationAccuracy.toFixed(3));
  if (event.kind === "done") now = await ask(event.model);
}
const percent = (labels) => `${(100 * score(labels)).toFixed(0)} %`;
const shown = Array.from({ length: 8 }, (_, row) => ({
  pixels: { width: 8, height: 8, values: Array.from(counted.inputs.slice(64 * row, 64 * (row + 1))) },
  truth: String(data.test.labels[row]),
  before: String(before[row]),
  now: String(now[row]),
}));
const told = { ...curves, before: percent(before), now: percent(now), shown };
writeFileSync(join(import.meta.dirname, "recorded.json"), `${JSON.stringify(told)}\n`);
console.log(told.before, told.now, curves.steps.length);
