// Peak resident memory of training a ViT and a four times deeper one, for each way to get a gradient:
//
//     node bench/memory.mjs [--json]
//
// Each row is a process of its own. "Before" is what is resident once model and estimator are made, "steps" what the steps
// add to it at their peak: for the low-memory estimators that does not grow with depth. Linux only.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import {
  compileObjective,
  createEstimator,
  crossEntropy,
  fold,
  keyFromSeed,
  models,
  sgd,
} from "../dist/index.js";
import { nodeRuntime } from "../dist/node.js";

const batch = 4;
const modes = {
  "weights, low memory": { perturb: "weights", lowMemory: true, tangentChunk: 1 },
  "activations, low memory": { perturb: "activations", lowMemory: true, tangentChunk: 1 },
  activations: { perturb: "activations", tangentChunk: 1 },
  "exact gradient": { gradient: "exact" },
};
const mebibytes = (bytes) => bytes / 2 ** 20;

async function measure(mode, layers) {
  const runtime = nodeRuntime({ threads: 1 });
  const model = models.vit({ input: [3, 32, 32], outputs: 10, layers, batch });
  const objective = await compileObjective({ model, inPlace: true, loss: crossEntropy(), runtime, batch });
  const estimator = await createEstimator(objective, modes[mode]);
  const input = {
    dtype: "float32",
    shape: [batch, 3, 32, 32],
    data: new Float32Array(batch * 3072).fill(0.5),
  };
  const labels = { dtype: "int64", shape: [batch], data: new BigInt64Array(batch) };
  const arrays = Object.fromEntries(
    Object.entries(objective.parameters).map(([name, { data }]) => [name, data]),
  );
  globalThis.gc?.();
  const { rss: before, arrayBuffers, heapUsed } = process.memoryUsage();
  // Linux: the peak counts from here on.
  writeFileSync("/proc/self/clear_refs", "5");
  const started = performance.now();
  const steps = 2;
  for (let step = 0; step < steps; step++) {
    const feeds = { ...objective.parameters, input, labels };
    const { gradients } = await estimator.estimate(feeds, fold(keyFromSeed(1), step));
    sgd().update(arrays, gradients, {}, 1e-6);
  }
  globalThis.gc?.();
  const after = process.memoryUsage();
  const parameters = Object.values(arrays).reduce((total, { length }) => total + length, 0);
  return {
    mode,
    layers,
    parameters,
    parameterMebibytes: mebibytes(4 * parameters),
    residentBefore: mebibytes(before),
    arraysBefore: mebibytes(arrayBuffers),
    heapBefore: mebibytes(heapUsed),
    arraysAfter: mebibytes(after.arrayBuffers),
    heapAfter: mebibytes(after.heapUsed),
    residentAfter: mebibytes(after.rss),
    peakInSteps: Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) / 1024,
    secondsPerStep: (performance.now() - started) / 1000 / steps,
  };
}

const [child, mode, layers] = process.argv.slice(2);
if (child === "--child") console.log(JSON.stringify(await measure(mode, Number(layers))));
else {
  const rows = Object.keys(modes).flatMap((mode) =>
    [6, 24].map((layers) => {
      const { stdout, stderr, status } = spawnSync(
        process.execPath,
        ["--expose-gc", import.meta.filename, "--child", mode, String(layers)],
        { encoding: "utf8" },
      );
      if (status !== 0) throw new Error(stderr);
      return JSON.parse(stdout.trim().split("\n").at(-1));
    }),
  );
  if (process.argv.includes("--json")) console.log(JSON.stringify(rows));
  else {
    console.log(`ViT on 32×32 images, batch ${batch}, k = 16, one thread; MiB\n`);
    console.log("estimator                layers  parameters  before   steps  s a step");
    for (const row of rows)
      console.log(
        `${row.mode.padEnd(25)}${String(row.layers).padStart(6)}${row.parameterMebibytes.toFixed(0).padStart(12)}` +
          `${row.residentBefore.toFixed(0).padStart(8)}${(row.peakInSteps - row.residentBefore).toFixed(0).padStart(8)}${row.secondsPerStep.toFixed(1).padStart(10)}`,
      );
  }
}
