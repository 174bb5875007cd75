// What feedback reads of many outputs, and what it is worth there: the next of 1,000 words, or three digits at once (1,000 classes).
//
//     python bench/many-outputs.py DIR && node bench/many-outputs.mjs --folder DIR --data-dir MNIST [--only REGEX] [--rates R,R]
//         [--steps N] [--batch N] [--tangents N] [--seeds N,N] [--threads N]
//
// Words by Adam, at the rate with the lowest validation loss on the first seed; digits by SGD at the default rate; both with the cosine
// schedule. Bias², variance and cosine are measured at the end, on one batch. Prints a Markdown table.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { mnist } from "../dist/data.js";
import { activations, convnet, feedback, train } from "../dist/index.js";
import { folderStore, nodeRuntime } from "../dist/node.js";

const { values: flags } = parseArgs({
  options: {
    folder: { type: "string" },
    "data-dir": { type: "string" },
    only: { type: "string", default: "" },
    rates: { type: "string", default: "0.001,0.003" },
    steps: { type: "string", default: "300" },
    batch: { type: "string", default: "32" },
    tangents: { type: "string", default: "8" },
    seeds: { type: "string", default: "0" },
    threads: { type: "string", default: "1" },
  },
});
const [steps, batch, tangents] = [flags.steps, flags.batch, flags.tangents].map(Number);
const [rates, seeds] = [flags.rates, flags.seeds].map((list) => list.split(",").map(Number));
const runtime = nodeRuntime({ threads: Number(flags.threads) });

/** The next of 1,000 words at each of 16 tokens. */
function words(folder) {
  const bytes = readFileSync(join(folder, "tokens.i32"));
  const all = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const take = (from, to) => ({
    inputs: all.slice(from, to),
    labels: all.slice(from + 1, to + 1),
    shape: [16],
    targetShape: [16],
    count: (to - from) / 16,
  });
  const model = new Uint8Array(readFileSync(join(folder, "language.onnx")));
  return { optimizer: "adam", model: () => model, examples: take(0, 96_000), test: take(96_000, 112_000) };
}

/** Three of MNIST's digits side by side, as one of 1,000 classes. */
async function digits(folder) {
  const data = await mnist(folderStore(folder));
  const three = (from, count, seed) => {
    let state = seed;
    const next = () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * from.count);
    };
    const [inputs, labels] = [new Uint8Array(count * 28 * 84), new Int32Array(count)];
    for (let example = 0; example < count; example++)
      for (let place = 0; place < 3; place++) {
        const digit = next();
        labels[example] = 10 * labels[example] + from.labels[digit];
        for (let row = 0; row < 28; row++) {
          const start = 784 * digit + 28 * row;
          inputs.set(from.inputs.subarray(start, start + 28), 2352 * example + 84 * row + 28 * place);
        }
      }
    return { inputs, labels, shape: [1, 28, 84], count };
  };
  const architecture = "Conv8,3-ReLU-MaxPool2--Conv16,3-ReLU-MaxPool2--F-FC";
  const shape = { input: [1, 28, 84], outputs: 1000, architecture, normalization: data.normalization };
  const [examples, test] = [three(data.train, 20_000, 1), three(data.test, 2000, 2)];
  return { optimizer: "sgd", model: (seed) => convnet({ ...shape, seed }), examples, test };
}

const guessed = (guess) => ({ perturb: activations({ guess }), tangents });
const methods = {
  exact: { gradient: "exact" },
  "no guess": guessed("none"),
  "feedback, its own choice": guessed(feedback()),
  "feedback, sketch": guessed(feedback({ reduce: "sketch" })),
  "feedback, sketch of the logits": guessed(feedback({ reduce: "sketch", signal: "logits" })),
};

/** Trains to the end. A run that diverges is worth nothing. */
async function run({ optimizer, model, examples, test }, method, seed, learningRate) {
  const settings = {
    runtime,
    optimizer,
    batch,
    steps,
    seed,
    validation: 500,
    model: model(seed),
    examples,
    test,
  };
  const quality = method.gradient === "exact" ? undefined : { draws: 4 };
  try {
    for await (const event of train({ ...settings, ...method, quality, learningRate }))
      if (event.kind === "done") return event.result;
  } catch (error) {
    if (error.name !== "DivergenceError") throw error;
  }
  return { validationLoss: Number.POSITIVE_INFINITY, testAccuracy: 0 };
}

const tasks = {
  words: flags.folder && (() => words(flags.folder)),
  digits: flags["data-dir"] && (() => digits(flags["data-dir"])),
};
const shown = (value, digits) => value?.toFixed(digits) ?? "";
console.log(
  "| task | method | rate | test loss | test accuracy, % | bias² | variance | cosine |\n|---|---|---|---|---|---|---|---|",
);
for (const [task, open] of Object.entries(tasks)) {
  if (!open) continue;
  const problem = await open();
  for (const [name, method] of Object.entries(methods)) {
    if (!new RegExp(flags.only).test(`${task}: ${name}`)) continue;
    const tried = [];
    for (const rate of problem.optimizer === "adam" ? rates : [undefined])
      tried.push({ rate, ...(await run(problem, method, seeds[0], rate)) });
    const best = tried.reduce((a, b) => (b.validationLoss < a.validationLoss ? b : a));
    const all = [best];
    for (const seed of seeds.slice(1)) all.push(await run(problem, method, seed, best.rate));
    const losses = all.map(({ testLoss }) => shown(testLoss, 3)).join(", ");
    const accuracies = all.map(({ testAccuracy }) => shown(100 * testAccuracy, 1)).join(", ");
    const quality = [shown(best.biasSquared, 2), shown(best.variance, 1), shown(best.cosine, 2)].join(" | ");
    console.log(`| ${task} | ${name} | ${best.rate ?? "default"} | ${losses} | ${accuracies} | ${quality} |`);
  }
}
