// Records a run of the lab's digits in Node, which the panel shows before anybody trains: node lab/digits/record.mjs, after a build.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { glyphs, mlp, predict, train } from "forwardgrad";
import { nodeRuntime } from "forwardgrad/node";

const data = glyphs({ train: 8000, test: 1000 });
const { normalization } = data;
const options = {
  model: mlp({ input: [1, 28, 28], hidden: [64], outputs: 10, normalization }),
  examples: data.train,
  test: data.test,
  runtime: nodeRuntime({ threads: 1 }),
  epochs: 4,
  quality: { every: 10 },
};
const losses = [];
const cosines = [];
let sum = 0;
let model;
for await (const event of train(options)) {
  if (event.kind === "step") {
    sum += event.loss;
    if (event.step % 10 === 0) {
      losses.push(Number((sum / 10).toFixed(3)));
      cosines.push(Number(event.quality.cosine.toFixed(3)));
      sum = 0;
    }
  }
  if (event.kind === "done") model = event.model;
}
const read = [];
for await (const { label } of predict({ model, examples: data.test, runtime: options.runtime }))
  read.push(label);
const misread = read.flatMap((label, index) =>
  label === data.test.labels[index]
    ? []
    : [
        {
          label: data.test.labels[index],
          read: label,
          pixels: Buffer.from(data.test.inputs.subarray(784 * index, 784 * (index + 1))).toString("base64"),
        },
      ],
);
const labels = Array.from(
  { length: 10 },
  (_, label) => data.test.labels.filter((each) => each === label).length,
);
writeFileSync(
  join(import.meta.dirname, "recorded.json"),
  `${JSON.stringify({ losses, cosines, labels, misread })}\n`,
);
console.log(`${losses.length} losses, ${misread.length} of 1000 misread`);
