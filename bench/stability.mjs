// Whether the default learning rate holds: runs of thousands of steps of small, noisy batches, of every kind of network and estimator.
//   node bench/stability.mjs --folder mnist [--file stability.jsonl] [--only vit] [--steps 5000] [--markdown]
// What was measured is appended to the file, and a run that was interrupted goes on from there.
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { mnist } from "../dist/data.js";
import { activations, blocks, models, samplers, train, weights } from "../dist/index.js";
import { folderStore, nodeRuntime } from "../dist/node.js";

const { values: flags } = parseArgs({
  options: {
    folder: { type: "string", default: "." },
    file: { type: "string", default: "stability.jsonl" },
    only: { type: "string", default: "" },
    steps: { type: "string", default: "5000" },
    batch: { type: "string", default: "8" },
    tangents: { type: "string", default: "4" },
    threads: { type: "string", default: "1" },
    markdown: { type: "boolean", default: false },
  },
});
const [steps, batch, tangents] = [flags.steps, flags.batch, flags.tangents].map(Number);

const networks = {
  mlp: { model: "mlp" },
  lenet5: { model: "lenet5" },
  convnet: { model: "convnet" },
  vit: { model: "vit", shape: { width: 32, layers: 2, patch: 7, heads: 4 } },
  resnet18: { model: "resnet18", shape: { width: 8 } },
};
const estimators = {
  "activations, feedback": { perturb: activations({ guess: "feedback" }) },
  "activations, no guess": { perturb: activations({ guess: "none" }) },
  "activations, shared, feedback": { perturb: activations({ guess: "feedback", shareTangents: true }) },
  "blocks, feedback": { perturb: blocks({ guess: "feedback" }) },
  weights: { perturb: weights() },
  "weights, low-rank": { perturb: weights(), sampler: samplers["low-rank"]() },
  exact: { gradient: "exact" },
};
const optimizers = ["sgd", "adam"];

const dataset = await mnist(folderStore(flags.folder));
const known = existsSync(flags.file)
  ? readFileSync(flags.file, "utf8")
      .trim()
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line))
  : [];
const settings = { steps, batch, tangents };
const ids = Object.keys(networks).flatMap((network) =>
  Object.keys(estimators).flatMap((estimator) =>
    optimizers.map((optimizer) => ({ network, estimator, optimizer, ...settings })),
  ),
);
const keyOf = ({ network, estimator, optimizer, ...rest }) =>
  [network, estimator, optimizer, rest.steps, rest.batch, rest.tangents].join("/");
const stop = new AbortController();
process.once("SIGINT", () => stop.abort());

for (const [place, id] of ids.entries()) {
  if (!keyOf(id).includes(flags.only) || known.some((row) => keyOf(row) === keyOf(id))) continue;
  process.stderr.write(`${place + 1} of ${ids.length}: ${keyOf(id)}\n`);
  const row = { ...id, ...(await measured(id)) };
  if (stop.signal.aborted) process.exit(130);
  known.push(row);
  appendFileSync(flags.file, `${JSON.stringify(row)}\n`);
}
print(known.filter((row) => ids.some((id) => keyOf(id) === keyOf(row)) && keyOf(row).includes(flags.only)));

/** Trains at the default rate; a row says how often the run went back, and on at half the rate. */
async function measured({ network, estimator, optimizer }) {
  const { model, shape } = networks[network];
  const { train: examples, test, classes, normalization } = dataset;
  const losses = [];
  let [recovery, times] = [undefined, 0];
  const start = performance.now();
  const seconds = () => Math.round((performance.now() - start) / 1000);
  try {
    const events = train({
      model: models[model]({ input: examples.shape, outputs: classes, normalization, ...shape }),
      ...{ examples, test, runtime: nodeRuntime({ threads: Number(flags.threads) }), signal: stop.signal },
      ...{ steps, batch, optimizer, epochs: steps },
      ...(estimator !== "exact" && { tangents }),
      ...estimators[estimator],
    });
    for await (const event of events) {
      if (event.kind === "recovery") [recovery, times] = [event.divergedAt, times + 1];
      if (event.kind === "step") losses.push(event.loss);
      if (event.kind !== "done") continue;
      const { testAccuracy, learningRate } = event.result;
      const [first, last] = [mean(losses.slice(0, 100)), mean(losses.slice(-100))];
      return { testAccuracy, learningRate, first, last, recovery, times, seconds: seconds() };
    }
    return {};
  } catch (error) {
    // What an estimator or model refuses is a row, too.
    if (error.name === "DivergenceError") return { divergedAt: losses.length, recovery, seconds: seconds() };
    return { refused: error.message.slice(0, 200), seconds: seconds() };
  }
}

function mean(list) {
  return list.reduce((sum, value) => sum + value, 0) / list.length;
}

function print(rows) {
  if (!flags.markdown) return process.stdout.write(rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const cell = (network, estimator) =>
    optimizers
      .map((optimizer) =>
        rows.find((row) => keyOf(row) === keyOf({ network, estimator, optimizer, ...settings })),
      )
      .map((row) => (row ? words(row) : "–"))
      .join(", ");
  const names = Object.keys(networks);
  const lines = [
    `| estimator (${optimizers.join(", ")}) | ${names.join(" | ")} |`,
    `|---|${names.map(() => "---|").join("")}`,
    ...Object.keys(estimators).map(
      (one) => `| ${one} | ${names.map((name) => cell(name, one)).join(" | ")} |`,
    ),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

function words({ divergedAt, refused, recovery, times = 1, testAccuracy }) {
  if (refused) return "refused";
  if (divergedAt) return `diverged at ${divergedAt}`;
  const accuracy = `${(100 * testAccuracy).toFixed(1)} %`;
  if (!recovery) return accuracy;
  return `${accuracy} (went back ${times > 1 ? `${times} times, last ` : ""}at ${recovery})`;
}
