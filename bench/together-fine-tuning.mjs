// Fine-tuning by two workers over a server of its own: what goes over the line in all, and how good the model is beside one process:
//   node bench/together-fine-tuning.mjs --data-dir MNIST --model vit.onnx [--steps 1000] [--rates 0.003,0.01] [--json FILE]
// The model is bench/together-model.py's; its queries and values get adapters, which learn inverted digits by tangents of weights. The rate is
// chosen on validation digits in runs of a fifth of the steps, alone. Every run's test digits are read once.
import { spawn } from "node:child_process";
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { mnist } from "../dist/data.js";
import { startServer } from "../dist/distributed/node-server.js";
import { inGranules, trainTogether } from "../dist/distributed.js";
import { train } from "../dist/index.js";
import { folderStore, joinByThread, nodeRuntime } from "../dist/node.js";
import { inverted, rotated } from "./shifts.mjs";

const { values: flags } = parseArgs({
  options: {
    "data-dir": { type: "string" },
    model: { type: "string" },
    steps: { type: "string", default: "1000" },
    rates: { type: "string", default: "0.001,0.003,0.01" },
    seeds: { type: "string", default: "0" },
    examples: { type: "string", default: "6000" },
    batch: { type: "string", default: "32" },
    rank: { type: "string", default: "4" },
    shift: { type: "string", default: "inverted" },
    only: { type: "string", default: "weights,exact" },
    json: { type: "string", default: "/dev/stdout" },
  },
});
const runtime = nodeRuntime({ threads: 1 });
const data = await mnist(folderStore(flags["data-dir"]));
const few = ({ inputs, labels, ...rest }, count) => ({
  ...rest,
  inputs: inputs.subarray(0, 784 * count),
  labels: labels.subarray(0, count),
  count,
});
const shifted = { inverted, rotated }[flags.shift];
const learned = shifted(few(data.train, Number(flags.examples)));
const test = shifted(few(data.test, 2000));
const model = readFileSync(flags.model);
const steps = Number(flags.steps);
const say = (line) => appendFileSync(flags.json, `${JSON.stringify(line)}\n`);

const settings = (rate, seed, run) => ({
  ...{
    model,
    examples: learned,
    test,
    runtime,
    seed,
    steps: run,
    batch: Number(flags.batch),
    validation: 1000,
  },
  ...{ adapter: { rank: Number(flags.rank) }, optimizer: "adam", learningRate: rate, epochs: undefined },
});
const weights = { perturb: "weights", sampler: "low-rank", tangents: 16 };

/** The result of a run's events. */
async function resultOf(events, heard = () => {}) {
  for await (const event of events) {
    await heard(event);
    if (event.kind === "done") return event;
  }
}

/** The rate whose validation loss is least in short runs. */
async function chosenRate(kind) {
  let [best, rate] = [Number.POSITIVE_INFINITY, 0];
  for (const each of flags.rates.split(",").map(Number)) {
    const { result } = await resultOf(train({ ...settings(each, 0, Math.ceil(steps / 5)), ...kind }));
    say({ kind: "rate", name: kind.perturb ?? "exact", rate: each, validation: result.validationLoss });
    if (result.validationLoss < best) [best, rate] = [result.validationLoss, each];
  }
  return rate;
}

const inParts = { ...weights, gradient: inGranules({ size: 4 }) };
for (const [name, kind] of [
  ["weights", inParts],
  ["exact", { gradient: "exact" }],
]) {
  if (!flags.only.split(",").includes(name)) continue;
  const rate = await chosenRate(kind);
  for (const seed of flags.seeds.split(",").map(Number)) {
    const options = settings(rate, seed, steps);
    const start = performance.now();
    const alone = await resultOf(train({ ...options, ...kind }));
    const { result } = alone;
    say({
      kind: "alone",
      name,
      seed,
      rate,
      seconds: (performance.now() - start) / 1000,
      test: result.testAccuracy,
      parameters: result.parameters,
    });
    if (name === "weights") await together({ ...options, ...weights }, alone, rate, seed);
  }
}

async function together(options, alone, rate, seed) {
  const folder = mkdtempSync(join(tmpdir(), "together-"));
  const server = await startServer({ folder });
  const run = `run-${seed}`;
  const transport = await joinByThread({ url: server.url, run, create: true });
  const workers = [1, 2].map(() =>
    spawn(
      process.execPath,
      [join(import.meta.dirname, "../dist/cli.js"), "worker", server.url, "--run", run, "--threads", "1"],
      { stdio: ["ignore", "ignore", "inherit"] },
    ),
  );
  const ends = workers.map((worker) => new Promise((resolve) => worker.once("exit", resolve)));
  let first;
  let last;
  const start = performance.now();
  const done = await resultOf(
    trainTogether({ ...options, checkpointSeconds: 1e6 }, { transport, check: 0 }),
    async (event) => {
      if (event.kind === "step" && event.step === 1) first = await transport.traffic();
      if (event.kind === "step" && event.step === steps - 1) last = await transport.traffic();
    },
  );
  const all = await transport.traffic();
  await Promise.all(ends);
  await transport.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
  const isSame = Buffer.from(done.model).equals(Buffer.from(alone.model));
  say({
    ...{ kind: "together", seed, rate, isSame, test: done.result.testAccuracy, first, last, all },
    seconds: (performance.now() - start) / 1000,
  });
}
