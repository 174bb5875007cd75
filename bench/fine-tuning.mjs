// Fine-tuning of an imported ONNX file on shifted data, by exact and by forward gradients:
//
//     node bench/fine-tuning.mjs --data-dir DIR [--json] [--only REGEX] [--steps N] [--seed N] [--model FILE] [--threads N] [--quick]
//
// LeNet-5 is trained on MNIST and saved; then the file is adapted to rotated and to inverted digits by its last layer, its
// biases or low-rank adapters, at equal steps. Every estimate searches its own learning rate on a validation part of the
// training images; the test images are read once, by the saved file in a bare session. --only takes the cases that match
// ("rotated, biases, weights"); --model reads the trained file, or writes it there; --quick tries the command out.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import * as ort from "onnxruntime-node";
import { mnist } from "../dist/data.js";
import { lenet5, train } from "../dist/index.js";
import { folderStore, nodeRuntime } from "../dist/node.js";
import { decodeModel } from "../dist/onnx.js";
import { degrees, inverted, rotated } from "./shifts.mjs";

const { values: flags } = parseArgs({
  options: {
    "data-dir": { type: "string" },
    json: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    steps: { type: "string" },
    seed: { type: "string", default: "0" },
    model: { type: "string" },
    threads: { type: "string" },
    quick: { type: "boolean", default: false },
  },
});
if (!flags["data-dir"])
  throw new Error("fine-tuning needs the folder of MNIST's four files; pass --data-dir DIR.");

const steps = Number(flags.steps ?? (flags.quick ? 20 : 600));
const seed = Number(flags.seed);
const runtime = nodeRuntime({ threads: flags.threads && Number(flags.threads) });
const optimizer = { optimizer: "adam", schedule: "cosine" };
const perturb = { name: "activations", guess: "none" };
const activations = { perturb, tangents: 16, sampler: "rademacher", aggregate: "mean" };
const projection = { perturb, tangents: 16, sampler: "gaussian" };
const weights = { perturb: "weights", tangents: 16, sampler: "gaussian" };
const exact = { gradient: "exact" };

/** What is trained, how its gradient is estimated, and the learning rates that are tried. */
const methods = {
  "last layer": {
    settings: { trainable: (name) => /^fc3\./.test(name) },
    estimates: {
      exact: { ...exact, rates: [0.01, 0.03, 0.1] },
      // Ten numbers at the site: 16 tangents span them all.
      activations: { ...projection, rates: [0.01, 0.03, 0.1] },
    },
  },
  biases: {
    settings: { trainable: (name) => /\.bias$/.test(name) },
    estimates: {
      exact: { ...exact, rates: [0.03, 0.1, 0.3] },
      activations: { ...activations, rates: [0.03, 0.1, 0.2] },
      "activations, projection": { ...projection, rates: [0.03, 0.1, 0.2] },
      weights: { ...weights, rates: [0.03, 0.1, 0.3] },
    },
  },
  LoRA: {
    settings: { adapter: { rank: 4, target: (name) => /\.weight$/.test(name) } },
    estimates: {
      exact: { ...exact, rates: [0.003, 0.01, 0.03] },
      activations: { ...activations, rates: [0.003, 0.01, 0.03] },
      weights: { ...weights, rates: [0.003, 0.01, 0.03] },
    },
  },
};

const shifts = { rotated, inverted };

const say = (text) => process.stderr.write(`${text}\n`);
const percent = (share) => `${(100 * share).toFixed(2)} %`;

/** Trains to the end: the saved file, and its accuracy on the validation part. */
async function run(options) {
  const started = performance.now();
  let validation;
  for await (const event of train({ runtime, batch: 64, seed, ...options })) {
    if (event.kind === "epoch") validation = event.validationAccuracy;
    if (event.kind === "done")
      return {
        bytes: event.model,
        validation,
        parameters: event.result.parameters,
        millisecondsPerStep: 1000 * (event.result.secondsPerStep ?? Number.NaN),
        seconds: (performance.now() - started) / 1000,
      };
  }
  throw new Error("The run ended without a result.");
}

/** Share of the examples that a file reads right, in a bare ONNX Runtime session. */
async function accuracyOf(bytes, { inputs, labels, count }) {
  const session = await ort.InferenceSession.create(bytes);
  const batch = 500;
  let correct = 0;
  for (let start = 0; start < count; start += batch) {
    const pixels = Float32Array.from(
      inputs.subarray(784 * start, 784 * (start + batch)),
      (byte) => byte / 255,
    );
    const { logits } = await session.run({
      input: new ort.Tensor("float32", pixels, [pixels.length / 784, 1, 28, 28]),
    });
    for (let row = 0; row < logits.dims[0]; row++) {
      const scores = logits.data.subarray(10 * row, 10 * row + 10);
      if (scores.indexOf(Math.max(...scores)) === labels[start + row]) correct++;
    }
  }
  await session.release();
  return correct / count;
}

/** What another program sees of a file: inputs, outputs, opset, nodes, and the stored tensors' names and shapes. */
async function interfaceOf(bytes) {
  const session = await ort.InferenceSession.create(bytes);
  const { inputMetadata, outputMetadata } = session;
  await session.release();
  const { nodes, initializers, proto } = decodeModel(bytes);
  return JSON.stringify({
    inputMetadata,
    outputMetadata,
    opsets: proto.opsetImport.map(({ domain, version }) => [domain, String(version)]),
    nodes: nodes.map(({ name, op, inputs, outputs }) => [name, op, inputs, outputs]),
    stored: [...initializers].map(([name, { dtype, shape }]) => [name, dtype, shape]),
  });
}

const data = await mnist(folderStore(flags["data-dir"]));
let base = flags.model && existsSync(flags.model) ? new Uint8Array(readFileSync(flags.model)) : undefined;
if (!base) {
  say("training lenet5 on MNIST by exact gradients");
  const model = lenet5({ input: [1, 28, 28], outputs: 10, normalization: data.normalization });
  const trained = await run({
    model,
    examples: data.train,
    ...(flags.quick ? { steps: 20 } : { epochs: 2 }),
    ...exact,
    ...optimizer,
  });
  base = trained.bytes;
  if (flags.model) writeFileSync(flags.model, base);
}
const baseAccuracy = await accuracyOf(base, data.test);
const baseInterface = await interfaceOf(base);
say(`lenet5 on MNIST as it is: ${percent(baseAccuracy)}`);

const results = [];
for (const [shift, apply] of Object.entries(shifts)) {
  const [examples, test] = [apply(data.train), apply(data.test)];
  const before = await accuracyOf(base, test);
  say(`${shift}: before ${percent(before)}`);
  for (const [method, { settings, estimates }] of Object.entries(methods)) {
    for (const [estimate, { rates, ...own }] of Object.entries(estimates)) {
      const name = `${shift}, ${method}, ${estimate}`;
      if (!new RegExp(flags.only).test(name)) continue;
      const tried = [];
      let best;
      for (const learningRate of flags.quick ? rates.slice(0, 1) : rates) {
        const options = { model: base, examples, steps, learningRate, ...optimizer, ...settings, ...own };
        // A run that diverges is out of the search.
        const done = await run(options).catch((error) => {
          if (error.name !== "DivergenceError") throw error;
          return undefined;
        });
        tried.push({ learningRate, validation: done?.validation ?? null });
        if (done && (best === undefined || done.validation > best.validation))
          best = { ...done, learningRate };
        say(
          `${name}, rate ${learningRate}: ` +
            (done
              ? `validation ${percent(done.validation)}, ${done.millisecondsPerStep.toFixed(0)} ms a step, ${done.seconds.toFixed(0)} s`
              : "diverged"),
        );
      }
      if (!best) throw new Error(`${name}: every rate diverged; lower them.`);
      const { bytes, ...rest } = best;
      const accuracy = await accuracyOf(bytes, test);
      const keepsInterface = (await interfaceOf(bytes)) === baseInterface;
      results.push({ shift, method, estimate, before, accuracy, keepsInterface, tried, ...rest });
      say(`${name}: test ${percent(accuracy)}, interface ${keepsInterface ? "kept" : "CHANGED"}`);
    }
  }
}
for (const row of results) {
  const exactRow = results.find(
    (other) => other.shift === row.shift && other.method === row.method && other.estimate === "exact",
  );
  if (exactRow) row.recovered = (row.accuracy - row.before) / (exactRow.accuracy - row.before);
}
if (flags.json) console.log(JSON.stringify({ baseAccuracy, degrees, steps, seed, results }));
else {
  console.log(
    "data      trained     gradient                  n       rate   before   test     share of exact   ms a step",
  );
  for (const row of results)
    console.log(
      `${row.shift.padEnd(10)}${row.method.padEnd(12)}${row.estimate.padEnd(26)}${String(row.parameters).padEnd(8)}` +
        `${String(row.learningRate).padEnd(7)}${percent(row.before).padEnd(9)}${percent(row.accuracy).padEnd(9)}` +
        `${(row.recovered?.toFixed(3) ?? "").padEnd(17)}${row.millisecondsPerStep.toFixed(0)}`,
    );
}
