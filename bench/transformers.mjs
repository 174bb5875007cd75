// What guesses and tangents are worth in a transformer, beside what it learns without them:
//
//     node bench/transformers.mjs --data-dir DIR [--task scratch|lora] [--shift rotated|inverted] [--only REGEX]
//         [--layers N] [--width N] [--patch N] [--steps N] [--tangents N] [--rates R,R,…] [--seeds N,N,…] [--class-token SCALE]
//         [--model FILE] [--tests N] [--threads N] [--json] [--quick]
//
// scratch trains a vision transformer on MNIST. lora trains one by exact gradients first (or reads it from --model, and writes
// it there), and adapts it by low-rank adapters to rotated or inverted digits. Each method takes the rate that reads most
// validation digits with the first seed, and runs with it for every seed; test digits are read once, at the end. A method is
// worth what it adds to the same model with its lower blocks frozen, or with its head alone, as a share of what exact gradients
// add. --class-token draws the class token from normal numbers of this scale instead of zeros. --quick tries the command out.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { fillNormal } from "../dist/autodiff.js";
import { mnist } from "../dist/data.js";
import { activations, blocks, feedback, keyFromSeed, residual, train, vit, weights } from "../dist/index.js";
import { folderStore, nodeRuntime } from "../dist/node.js";
import { inverted, rotated } from "./shifts.mjs";

const { values: flags } = parseArgs({
  options: {
    "data-dir": { type: "string" },
    task: { type: "string", default: "scratch" },
    shift: { type: "string", default: "rotated" },
    only: { type: "string", default: "" },
    layers: { type: "string", default: "2" },
    width: { type: "string", default: "32" },
    patch: { type: "string", default: "7" },
    steps: { type: "string" },
    tangents: { type: "string", default: "16" },
    rates: { type: "string" },
    seeds: { type: "string", default: "0" },
    "class-token": { type: "string" },
    model: { type: "string" },
    tests: { type: "string", default: "10000" },
    threads: { type: "string" },
    json: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
  },
});
if (!flags["data-dir"])
  throw new Error("transformers needs the folder of MNIST's four files; pass --data-dir DIR.");
if (!["scratch", "lora"].includes(flags.task))
  throw new Error(`--task must be scratch or lora, received ${flags.task}.`);

const layers = Number(flags.layers);
const steps = Number(flags.steps ?? (flags.quick ? 5 : 300));
const seeds = flags.seeds.split(",").map(Number);
const rates = (flags.rates ?? (flags.quick ? "0.003" : "0.001,0.003,0.01")).split(",").map(Number);
const tangents = Number(flags.tangents);
const runtime = nodeRuntime({ threads: flags.threads && Number(flags.threads) });
const isHead = (name) => /^heads\.|^encoder\.ln\./.test(name);
/** What lies behind the last residual block's input: where a gradient arrives without tangents. */
const isLast = (name) => isHead(name) || name.includes(`encoder_layer_${layers - 1}.`);

/** Each method's settings, and which of the tensors it trains. */
const methods = {
  "head only": { trains: isHead, gradient: "exact" },
  "lower blocks frozen": { trains: isLast, gradient: "exact" },
  exact: { gradient: "exact" },
  "local heads": { perturb: blocks({ localHeads: true }) },
  "residual alone": { perturb: blocks({ guess: residual() }) },
  "residual, corrected": { perturb: blocks({ guess: residual({ gamma: 1 }) }), tangents },
  "feedback, blocks": { perturb: blocks({ guess: feedback() }), tangents },
  "projection, blocks": { perturb: blocks({ guess: "none" }), tangents },
  "projection, activations": { perturb: activations({ guess: "none" }), tangents },
  "weights, low-rank": { perturb: weights(), sampler: "low-rank", tangents },
};

const say = (text) => process.stderr.write(`${text}\n`);
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const mean = (list) => list.reduce((sum, value) => sum + value, 0) / list.length;

const data = await mnist(folderStore(flags["data-dir"]));
const take = (examples, count) => ({
  ...examples,
  count,
  inputs: examples.inputs.subarray(0, 784 * count),
  labels: examples.labels.subarray(0, count),
});
const tests = take(data.test, Math.min(data.test.count, flags.quick ? 100 : Number(flags.tests)));
const shift = { rotated, inverted }[flags.shift];

/** The model that a run starts from. */
function network(seed) {
  const shape = { layers, heads: 2, width: Number(flags.width), patch: Number(flags.patch) };
  const model = vit({ input: [1, 28, 28], outputs: 10, normalization: data.normalization, seed, ...shape });
  if (flags["class-token"] === undefined) return model;
  const token = model.initializers.get("class_token");
  const numbers = new Float32Array(token.data.length);
  fillNormal(keyFromSeed(seed), 0, numbers);
  const values = numbers.map((number) => number * Number(flags["class-token"]));
  return {
    ...model,
    initializers: new Map(model.initializers).set("class_token", { ...token, data: values }),
  };
}

/** Trains to the end. A run that diverges is worth nothing. */
async function run(options) {
  const started = performance.now();
  let validation;
  try {
    for await (const event of train({ runtime, optimizer: "adam", batch: 64, steps, ...options })) {
      if (event.kind === "epoch") validation = event.validationAccuracy;
      if (event.kind === "done")
        return {
          model: event.model,
          test: event.result.testAccuracy,
          validation,
          seconds: (performance.now() - started) / 1000,
        };
    }
  } catch (error) {
    if (error.name !== "DivergenceError") throw error;
  }
  return { test: 0, validation: 0, seconds: (performance.now() - started) / 1000 };
}

/** What the methods have in common: the model, the data, and how a choice of tensors is trained. */
async function prepare() {
  if (flags.task === "scratch")
    return {
      settings: ({ trains, ...settings }, seed) => ({ ...settings, model: network(seed), trainable: trains }),
      examples: data.train,
      test: tests,
      before: 0.1,
    };
  let base = flags.model && existsSync(flags.model) ? new Uint8Array(readFileSync(flags.model)) : undefined;
  if (!base) {
    say("training a transformer on MNIST by exact gradients");
    const own = {
      model: network(0),
      examples: data.train,
      test: tests,
      gradient: "exact",
      learningRate: 0.003,
    };
    const trained = await run({ ...own, steps: flags.quick ? 5 : 2000 });
    say(`it reads ${percent(trained.test)} of the test digits`);
    base = trained.model;
    if (flags.model) writeFileSync(flags.model, base);
  }
  const [examples, test] = [shift(data.train), shift(tests)];
  const { test: before } = await run({ model: base, examples, test, gradient: "exact", steps: 0 });
  say(`${flags.shift}: ${percent(before)} before`);
  const matrices = (trains) => (name) =>
    name.endsWith("weight") && !/\.ln_?[12]?\./.test(name) && trains(name);
  return {
    settings: ({ trains = () => true, ...settings }, seed) => ({
      ...settings,
      model: base,
      ...(trains === isHead
        ? { trainable: isHead }
        : { adapter: { rank: 4, target: matrices(trains), seed } }),
    }),
    examples,
    test,
    before,
  };
}

const { settings, examples, test, before } = await prepare();
const results = [];
for (const [name, method] of Object.entries(methods)) {
  if (!new RegExp(flags.only).test(name)) continue;
  const tried = [];
  for (const learningRate of rates) {
    const done = await run({ ...settings(method, seeds[0]), seed: seeds[0], examples, test, learningRate });
    say(
      `${name}, rate ${learningRate}, seed ${seeds[0]}: validation ${percent(done.validation)}, ${done.seconds.toFixed(0)} s`,
    );
    tried.push({ learningRate, ...done });
  }
  const best = tried.reduce((a, b) => (b.validation > a.validation ? b : a));
  const accuracies = [best.test];
  for (const seed of seeds.slice(1)) {
    const done = await run({
      ...settings(method, seed),
      seed,
      examples,
      test,
      learningRate: best.learningRate,
    });
    accuracies.push(done.test);
    say(`${name}, rate ${best.learningRate}, seed ${seed}: test ${percent(done.test)}`);
  }
  results.push({ name, learningRate: best.learningRate, accuracies, accuracy: mean(accuracies) });
  say(`${name}: test ${accuracies.map(percent).join(", ")}`);
}

const accuracyOf = (name) => results.find((row) => row.name === name)?.accuracy;
const best = accuracyOf("exact");
/** What a method adds to a lower accuracy, as a share of what exact gradients add to it. */
const share = (accuracy, lower) =>
  lower === undefined || best === undefined ? undefined : (accuracy - lower) / (best - lower);
const table = results.map((row) => ({
  ...row,
  shares: {
    before: share(row.accuracy, before),
    "head only": share(row.accuracy, accuracyOf("head only")),
    "lower blocks frozen": share(row.accuracy, accuracyOf("lower blocks frozen")),
  },
}));
if (flags.json)
  console.log(JSON.stringify({ task: flags.task, layers, steps, tangents, seeds, before, results: table }));
else {
  console.log(
    "method                    rate     test     share of exact's gain over: before  head only  lower frozen",
  );
  for (const { name, learningRate, accuracy, shares } of table)
    console.log(
      `${name.padEnd(26)}${String(learningRate).padEnd(9)}${percent(accuracy).padEnd(37)}` +
        Object.values(shares)
          .map((value) => (value?.toFixed(2) ?? "").padEnd(10))
          .join(" "),
    );
}
