// Fine-tunes an ONNX file that somebody else made: a network that reads digits learns to read them inverted. Only the last
// layer is trained; the saved file keeps its inputs, outputs, nodes, and all other weights.
//
// Run it with: node examples/fine-tune.mjs [model.onnx that reads 28×28 digits]
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crossEntropy, evaluateModel, glyphs, mlp, train } from "forwardgrad";
import { nodeRuntime } from "forwardgrad/node";
import { decodeModel } from "forwardgrad/onnx";

const runtime = nodeRuntime();
const data = glyphs({ train: 5000, test: 1000 });
const folder = mkdtempSync(join(tmpdir(), "forwardgrad-"));

/** Trains to the end and returns the ONNX file. */
async function finish(settings) {
  for await (const event of train({ runtime, ...settings })) if (event.kind === "done") return event.model;
}

/** The share of examples that a file reads correctly. */
async function accuracyOf(bytes, examples) {
  const model = decodeModel(bytes);
  const [{ name: output }] = model.outputs;
  const { accuracy } = await evaluateModel({
    model,
    parameters: {}, // none but the file's own
    examples,
    loss: crossEntropy(),
    output,
    runtime,
  });
  return `${(100 * accuracy).toFixed(1)} %`;
}

// The file to start from; without one, a small network is trained on plain digits first, with exact gradients.
let path = process.argv[2];
if (!path) {
  path = join(folder, "digits.onnx");
  const model = mlp({ input: [1, 28, 28], hidden: [64], outputs: 10 });
  writeFileSync(path, await finish({ model, examples: data.train, gradient: "exact", epochs: 5 }));
}
const imported = readFileSync(path);

// The new task: the same digits with black and white exchanged. Pixels are bytes.
const invert = (examples) => ({ ...examples, inputs: examples.inputs.map((pixel) => 255 - pixel) });
const inverted = { train: invert(data.train), test: invert(data.test) };
console.log(`before: ${await accuracyOf(imported, inverted.test)} of the inverted digits`);

// The last layer's weight and bias are stored last in this file; forwardgrad inspect shows the names in yours. Its output
// has 10 numbers, which 16 tangents span, so here the projection is the exact gradient.
const last = [...decodeModel(imported).initializers.keys()].slice(-2);
const tuned = await finish({
  model: imported,
  examples: inverted.train,
  trainable: (name) => last.includes(name),
  tangents: 16,
  optimizer: "adam",
  learningRate: 0.1,
  epochs: 5,
});
writeFileSync(join(folder, "tuned.onnx"), tuned);
console.log(`after:  ${await accuracyOf(tuned, inverted.test)}, with new ${last.join(" and ")}`);
