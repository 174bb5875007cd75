// Time of a training step by device and width, in milliseconds, everything included: drawing tangents on the CPU, copies to
// the device and back, the Gram matrix, the update. With --python, PyTorch on the same card, width by width in turns:
//
//     node bench/gpu.mjs --device cuda|webgpu|cpu [--widths 1024,2048,4096,8192] [--tangents 16] [--batch 64] [--rounds 7]
//                        [--chunk n] [--threads n] [--python /path/to/python] [--json]
//
// A network w-w-w-10 of ReLUs with cross-entropy. What cannot run here is skipped with a note. --chunk bounds the dense
// tangents that are on the device at once: 16 of a matrix of width 8192 take 4 GiB, more than most cards bind as one buffer.
import { spawnSync } from "node:child_process";
import { freemem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  compileObjective,
  createEstimator,
  crossEntropy,
  DeviceError,
  fold,
  keyFromSeed,
  mlp,
  sgd,
} from "../dist/index.js";
import { nodeRuntime } from "../dist/node.js";

const { values: flags } = parseArgs({
  options: {
    device: { type: "string", default: "webgpu" },
    widths: { type: "string", default: "1024,2048,4096,8192" },
    tangents: { type: "string", default: "16" },
    batch: { type: "string", default: "64" },
    rounds: { type: "string", default: "7" },
    chunk: { type: "string" },
    threads: { type: "string" },
    python: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const [tangents, batch, rounds] = [flags.tangents, flags.batch, flags.rounds].map(Number);
const widths = flags.widths.split(",").map(Number);
const runtime = nodeRuntime({
  device: flags.device,
  threads: flags.threads === undefined ? undefined : Number(flags.threads),
});
const tangentChunk = flags.chunk === undefined ? undefined : Number(flags.chunk);
const estimators = {
  "weights, dense": { perturb: "weights", sampler: "gaussian", tangentChunk },
  "weights, low-rank": { perturb: "weights", sampler: "low-rank" },
  activations: { perturb: "activations", sampler: "gaussian" },
  "exact gradient": { gradient: "exact" },
};
const rows = [];
const notes = [];

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** Median time of a step after two that warm up. */
async function timeSteps(estimator, feeds, arrays) {
  const times = [];
  for (let round = 0; round < rounds + 2; round++) {
    const start = performance.now();
    const { gradients } = await estimator.estimate(feeds, fold(keyFromSeed(1), round));
    sgd().update(arrays, gradients, {}, 1e-6);
    times.push(performance.now() - start);
  }
  return median(times.slice(2));
}

async function measure(width) {
  const model = mlp({ input: [width], hidden: [width, width], outputs: 10 });
  const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch });
  const data = Float32Array.from({ length: batch * width }, (_, place) => Math.sin(place));
  const labels = BigInt64Array.from({ length: batch }, (_, example) => BigInt(example % 10));
  const feeds = {
    ...objective.parameters,
    input: { dtype: "float32", shape: [batch, width], data },
    labels: { dtype: "int64", shape: [batch], data: labels },
  };
  const arrays = Object.fromEntries(
    Object.entries(objective.parameters).map(([name, tensor]) => [name, tensor.data]),
  );
  const parameters = Object.values(arrays).reduce((total, { length }) => total + length, 0);
  for (const [name, settings] of Object.entries(estimators)) {
    const bytes = name === "weights, dense" ? 4 * tangents * parameters : 0;
    if (bytes > freemem() / 2) {
      const [needed, free] = [bytes, freemem()].map((size) => (size / 2 ** 30).toFixed(1));
      notes.push(
        `${name}, width ${width}: skipped, its tangents take ${needed} GiB and ${free} GiB are free`,
      );
      continue;
    }
    try {
      const estimator = await createEstimator(
        objective,
        settings.gradient === "exact" ? settings : { tangents, ...settings },
      );
      try {
        rows.push({ width, by: name, milliseconds: await timeSteps(estimator, feeds, arrays) });
      } finally {
        await estimator.release();
      }
    } catch (error) {
      notes.push(`${name}, width ${width}: ${error.message}`);
    }
  }
}

/** PyTorch has no WebGPU: there it runs on the CUDA card, or says that it has none. */
function measurePeer(width) {
  const args = ["--device", flags.device === "cpu" ? "cpu" : "cuda", "--width", width, "--batch", batch];
  const { stdout, stderr, error } = spawnSync(
    flags.python,
    [join(import.meta.dirname, "gpu-peer.py"), ...args, "--tangents", tangents, "--rounds", rounds].map(
      String,
    ),
    { encoding: "utf8" },
  );
  if (error) throw new Error(`--python ${flags.python}: ${error.message}`);
  const lines = stdout.split("\n").filter(Boolean).map(JSON.parse);
  if (lines.length === 0) notes.push(`PyTorch, width ${width}: ${stderr.trim().split("\n").at(-1)}`);
  for (const { by, milliseconds, note } of lines) {
    if (note) notes.push(`${by}, width ${width}: ${note}`);
    else rows.push({ width, by, milliseconds });
  }
}

for (const width of widths) {
  try {
    await measure(width);
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
    notes.push(error.message);
    break;
  }
  if (flags.python) measurePeer(width);
}
if (flags.json) console.log(JSON.stringify({ runtime: runtime.name, batch, tangents, rows, notes }));
else {
  console.log(
    `${runtime.name}, w-w-w-10, batch ${batch}, k = ${tangents}\n\nwidth  step                           ms`,
  );
  for (const { width, by, milliseconds } of rows)
    console.log(`${String(width).padEnd(7)}${by.padEnd(24)}${milliseconds.toFixed(2).padStart(10)}`);
  for (const note of notes) console.log(`Note: ${note}`);
}
