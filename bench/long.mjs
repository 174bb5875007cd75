// Resident memory over many steps of a small network: flat, or not. Each row is a process of its own (--child).
import { spawn } from "node:child_process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { glyphs, mlp, train } from "../dist/index.js";
import { nodeRuntime } from "../dist/node.js";
import { breathe, fitLine, short, table } from "./measure.mjs";
import { trainingStep } from "./problem.mjs";

const hidden = [32, 32];
const [batch, k] = [16, 4];
const cases = {
  activations: { perturb: "activations" },
  "gaussian weights": { perturb: "weights", sampler: "gaussian" },
  "weights by signs": { perturb: "weights", sampler: "rademacher" },
  "low-rank weights": { perturb: "weights", sampler: "low-rank" },
  "exact gradient": { gradient: "exact" },
  "train() by activations": { perturb: { name: "activations", guess: "none" }, whole: true },
};

export const title = "Resident memory over many steps of a small network";

export async function* rows({ steps = 10_000, only, signal }) {
  for (const name of Object.keys(cases)) {
    if (only && !only.includes(name)) continue;
    const samples = await child(name, steps, signal);
    // The first tenth warms up: compiled code, pools, the first collections.
    const kept = samples.filter(({ step }) => step >= steps / 10);
    const lineOf = (list) =>
      fitLine(
        list.map(({ step }) => step),
        list.map(({ resident }) => resident),
      );
    const line = lineOf(kept);
    // A leak goes on; what settles is flatter here.
    const lastHalf = lineOf(samples.filter(({ step }) => step >= steps / 2));
    yield {
      name,
      steps,
      bytesPerStep: line.slope,
      standardError: line.standardError,
      lastHalf: { bytesPerStep: lastHalf.slope, standardError: lastHalf.standardError },
      first: kept[0].resident,
      last: kept.at(-1).resident,
      peak: Math.max(...samples.map(({ resident }) => resident)),
      milliseconds: samples.at(-1).milliseconds,
      samples: kept.length,
    };
  }
}

/** Runs a case in a fresh process. */
function child(name, steps, signal) {
  return new Promise((resolve, reject) => {
    const one = spawn(process.execPath, [import.meta.filename, "--child", name, String(steps)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let text = "";
    one.stdout.on("data", (data) => {
      text += data;
    });
    signal?.addEventListener("abort", () => one.kill(), { once: true });
    one.on("close", (code) =>
      code === 0 ? resolve(JSON.parse(text)) : reject(new Error(`'${name}' ended with ${code}.`)),
    );
  });
}

async function measure(name, steps) {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  const samples = [];
  const started = performance.now();
  const sample = (step) => {
    collect();
    samples.push({
      step,
      resident: process.memoryUsage().rss,
      milliseconds: (performance.now() - started) / Math.max(1, step),
    });
  };
  const every = Math.max(1, Math.floor(steps / 100));
  const { whole, ...settings } = cases[name];
  const model = mlp({ input: [1, 28, 28], hidden, outputs: 10 });
  const runtime = nodeRuntime({ threads: 1 });
  if (whole) {
    const { train: examples } = glyphs();
    let step = 0;
    // A rate at which no number of steps diverges.
    const fixed = { batch, tangents: k, steps, epochs: steps, learningRate: 0.01 };
    const events = train({ model, examples, runtime, ...fixed, ...settings });
    for await (const event of events) if (event.kind === "step" && ++step % every === 0) sample(step);
  } else {
    const training = await trainingStep({
      ...{ model, shape: [1, 28, 28], batch, runtime },
      settings: settings.gradient === "exact" ? settings : { tangents: k, ...settings },
    });
    for (let step = 1; step <= steps; step++) {
      await training.step();
      if (step % every !== 0) continue;
      await breathe();
      sample(step);
    }
  }
  return samples;
}

export function print(results) {
  const mebibytes = (bytes) => (bytes / 2 ** 20).toFixed(1);
  return (
    `784-${hidden.join("-")}-10, batch ${batch}, k = ${k}, one thread; line through ${results[0].samples} samples after the first tenth, each behind a garbage collection\n\n` +
    table(
      [
        "case",
        "steps",
        "bytes a step",
        "± s.e.",
        "last half",
        "± s.e.",
        "MiB at first",
        "MiB at last",
        "peak MiB",
        "ms a step",
      ],
      results.map((row) => [
        row.name,
        row.steps,
        short(row.bytesPerStep),
        short(row.standardError, 2),
        short(row.lastHalf.bytesPerStep),
        short(row.lastHalf.standardError, 2),
        mebibytes(row.first),
        mebibytes(row.last),
        mebibytes(row.peak),
        short(row.milliseconds),
      ]),
    )
  );
}

if (process.argv[2] === "--child") {
  console.log(JSON.stringify(await measure(process.argv[3], Number(process.argv[4]))));
}
