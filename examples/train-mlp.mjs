// Trains a small network in JavaScript, with forward passes only, and uses the trained ONNX file.
//
// Run it with: node examples/train-mlp.mjs
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mlp, sgd, train } from "forwardgrad";
import { nodeRuntime } from "forwardgrad/node";
import { InferenceSession, Tensor } from "onnxruntime-node";

// The data are plain arrays: points of the plane, and whether they lie in one of two opposite quarters.
const count = 4000;
const inputs = new Float32Array(2 * count);
const labels = new Int32Array(count);
for (let point = 0; point < count; point++) {
  // Multiples of irrational numbers fill the square evenly, the same in each run.
  const [x, y] = [0.7548776662, 0.5698402909].map((step) => 2 * ((point * step) % 1) - 1);
  inputs.set([x, y], 2 * point);
  labels[point] = x * y > 0 ? 1 : 0;
}

// Two inputs, two hidden layers, two classes. Every layer's output gets its own tangents, 16 of them a step.
const model = mlp({ input: [2], hidden: [32, 32], outputs: 2, activation: "tanh" });
let trained;
for await (const event of train({
  model,
  examples: { inputs, labels },
  runtime: nodeRuntime(), // nodeRuntime({ device: "webgpu" }) for a graphics card
  tangents: 16,
  batch: 32,
  epochs: 10,
  optimizer: sgd({ momentum: 0.9 }),
})) {
  // One event a step, one an epoch, and the result at the end.
  if (event.kind === "epoch") {
    const accuracy = (100 * event.validationAccuracy).toFixed(1);
    console.log(
      `epoch ${event.epoch}: loss ${event.trainLoss.toFixed(3)}, ${accuracy} % of the validation points`,
    );
  }
  if (event.kind === "done") trained = event.model;
}

// The result is an ONNX file for any runtime; here it is onnxruntime-node itself.
const path = join(mkdtempSync(join(tmpdir(), "forwardgrad-")), "quarters.onnx");
writeFileSync(path, trained);
const session = await InferenceSession.create(path);
const points = new Tensor("float32", [0.5, 0.5, -0.5, 0.5, -0.5, -0.5, 0.5, -0.5], [4, 2]);
const { [session.outputNames[0]]: logits } = await session.run({ [session.inputNames[0]]: points });
const classes = [0, 1, 2, 3].map((row) => (logits.data[2 * row + 1] > logits.data[2 * row] ? 1 : 0));
console.log(`the four quarters: ${classes.join(", ")}`);
await session.release();
