// A step of 1, 2 and 4 workers over a local NATS server, and its pieces apart, as `src/studies/scale/measured.ts` has them:
//   node bench/workers.mjs --folder MNIST [--hidden 512,512] [--batch 256] [--steps 150] [--rounds 3]
// Runs take turns, each of one thread a process; a step is the median over rounds of each run's median.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openGram } from "../dist/distributed/weights/gram.js";
import { openGranulePass } from "../dist/distributed/weights/granule.js";
import { openUpdate } from "../dist/distributed/weights/update.js";
import {
  aggregators,
  compileObjective,
  crossEntropy,
  fold,
  keyFromSeed,
  models,
  samplers,
} from "../dist/index.js";
import { nodeRuntime } from "../dist/node.js";
import { randomBatch } from "./problem.mjs";

const { values: flags } = parseArgs({
  options: {
    folder: { type: "string", default: "." },
    hidden: { type: "string", default: "512,512" },
    batch: { type: "string", default: "256" },
    steps: { type: "string", default: "150" },
    rounds: { type: "string", default: "3" },
    // Measures the pieces alone, again and again: what two processes that do so at once take tells what the cores share.
    pieces: { type: "boolean", default: false },
  },
});
const [batch, steps, rounds] = [flags.batch, flags.steps, flags.rounds].map(Number);
const hidden = flags.hidden.split(",").map(Number);
const [tangents, granule] = [16, 4];
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

/** Median seconds of a call. */
async function timed(call, times = 15) {
  const seconds = [];
  for (let index = 0; index < times; index++) {
    const start = performance.now();
    await call(index);
    seconds.push((performance.now() - start) / 1000);
  }
  return median(seconds.slice(2));
}

/** A granule's pass and an update, each alone. */
async function pieces(hidden) {
  const runtime = nodeRuntime({ threads: 1 });
  const model = models.mlp({ input: [1, 28, 28], hidden, outputs: 10 });
  const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch });
  const sampler = samplers.rademacher();
  const feeds = { ...objective.parameters, ...randomBatch(batch, [1, 28, 28]) };
  const shapes = Object.entries(objective.parameters).map(([name, { shape }]) => ({ name, shape }));
  const key = keyFromSeed(1);
  const passes = await openGranulePass(objective, sampler, granule);
  const update = openUpdate(shapes, sampler);
  const pass = await timed((step) => passes.measure(feeds, fold(key, step), { first: 0, count: granule }));
  const coefficients = Float32Array.from({ length: tangents }, (_, index) => 1 + index);
  const rebuild = await timed((step) => update.form(fold(key, step), coefficients));
  const method = { tangents, sampler, exactGram: false, gain: 1, aggregator: aggregators.projection() };
  const grams = await openGram(objective, { ...method, dimension: sizeOf(objective) });
  const gram = await timed((step) => grams.of(fold(key, step)));
  await Promise.all([passes, update, grams].map((each) => each.release()));
  return { parameters: sizeOf(objective), pass, gram, rebuild };
}

function sizeOf({ parameters }) {
  return Object.values(parameters).reduce((sum, { data }) => sum + data.length, 0);
}

/** Seconds a step of a run of the command line. */
function run(workers, hidden) {
  const folder = mkdtempSync(join(tmpdir(), "workers-"));
  const command = [
    ...[
      join(import.meta.dirname, "../dist/cli.js"),
      "train",
      "--workers",
      String(workers),
      "--perturb",
      "weights",
    ],
    ...["--sampler", "rademacher", "--data", "mnist", "--data-dir", flags.folder, "--model", "mlp"],
    ...["--hidden", hidden.join(","), "--batch", String(batch), "--tangents", String(tangents)],
    ...["--steps", String(steps), "--threads", "1", "--out", join(folder, "run")],
  ];
  const { status, stderr } = spawnSync(process.execPath, command, { encoding: "utf8" });
  if (status !== 0) throw new Error(`A run ended with ${status}: ${stderr.slice(-500)}`);
  const lines = readFileSync(join(folder, "run/metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  rmSync(folder, { recursive: true, force: true });
  // The first steps wait for workers that are still compiling.
  const [before, after] = lines.filter(({ kind }) => kind === "train").slice(-2);
  return (after.seconds - before.seconds) / (after.step - before.step);
}

if (flags.pieces) for (;;) await pieces(hidden);

const small = [4];
const times = { 1: [], 2: [], 4: [], small: [] };
for (let round = 0; round < rounds; round++) {
  for (const workers of [1, 2, 4]) times[workers].push(run(workers, hidden));
  times.small.push(run(1, small));
}
const own = await pieces(hidden);
const least = await pieces(small);
const other = spawn(process.execPath, [
  import.meta.filename,
  "--pieces",
  "--hidden",
  flags.hidden,
  "--batch",
  flags.batch,
]);
await new Promise((resolve) => setTimeout(resolve, 3000));
const beside = await pieces(hidden);
other.kill();
const exchange = median(times.small) - Math.ceil(tangents / granule) * least.pass - least.rebuild;
console.log(
  JSON.stringify({
    ...{ parameters: own.parameters, tangents, granule, batch },
    ...{ pass: own.pass, gram: own.gram, rebuild: own.rebuild, exchange },
    beside: { pass: beside.pass / own.pass, rebuild: beside.rebuild / own.rebuild },
    steps: Object.fromEntries([1, 2, 4].map((workers) => [workers, median(times[workers])])),
  }),
);
