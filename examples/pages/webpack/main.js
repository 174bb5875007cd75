// Trains a small network on drawn digits in a worker of the page, and says how well it reads others.
import { glyphs, mlp } from "forwardgrad";
import { trainInWorker } from "forwardgrad/web";

const data = glyphs({ train: 2000, test: 500 });
const model = mlp({ input: [1, 28, 28], hidden: [32], outputs: 10, normalization: data.normalization });
const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
const state = document.getElementById("state");
for await (const event of trainInWorker(worker, {
  model,
  examples: data.train,
  test: data.test,
  epochs: 2,
})) {
  if (event.kind === "step") state.textContent = `step ${event.step} of ${event.steps}`;
  if (event.kind === "done") state.textContent = `reads ${(100 * event.result.testAccuracy).toFixed(1)} %`;
}
