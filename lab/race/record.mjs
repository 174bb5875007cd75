// Records a race on digits in Node, which the panel shows before anybody runs one: node lab/race/record.mjs, after a build.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { glyphs, mlp, train } from "forwardgrad";
import { nodeRuntime } from "forwardgrad/node";

const data = glyphs({ train: 8000, test: 1000 });
const { normalization } = data;
const runners = {
  exact: { gradient: "exact" },
  activations: { perturb: "activations" },
  alone: { perturb: { name: "activations", guess: "none" } },
  weights: { perturb: "weights" },
};
const recorded = {};
for (const [name, options] of Object.entries(runners)) {
  const losses = [];
  let sum = 0;
  let read = 0;
  const events = train({
    model: mlp({ input: [1, 28, 28], hidden: [64], outputs: 10, normalization }),
    examples: data.train,
    test: data.test,
    runtime: nodeRuntime({ threads: 1 }),
    epochs: 2,
    ...options,
  });
  for await (const event of events) {
    if (event.kind === "step") {
      sum += event.loss;
      if (event.step % 10 === 0) {
        losses.push(Number((sum / 10).toFixed(3)));
        sum = 0;
      }
    }
    if (event.kind === "done") read = event.result.testAccuracy;
  }
  recorded[name] = { losses, read };
  console.log(`${name}: loss ${losses.at(-1)}, reads ${(100 * read).toFixed(1)} %`);
}
writeFileSync(join(import.meta.dirname, "recorded.json"), `${JSON.stringify(recorded)}\n`);
