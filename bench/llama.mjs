// Adapters beside the 4-bit matrices of Llama decoders (llama-models.py makes them): memory over depth, and perplexity on a text.
//
//     node bench/llama.mjs memory --models FOLDER [--depths 2,4,8,16,24] [--only REGEX] [--json] [--chart FILE.svg]
//     node bench/llama.mjs perplexity --models FOLDER [--layers 4] [--steps 300] [--only REGEX] [--json]
//
// memory: each row is a process of its own, which trains for two steps; counted is what is resident at their peak beyond what was
// resident when the run began. Linux only. --rows FILE draws and prints what an earlier --json had. perplexity: of the text's last tenth, by the rate that its middle tenth chooses.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import * as vega from "vega";
import { compile } from "vega-lite";
import { crossEntropy, evaluateModel, train } from "../dist/index.js";
import { loadModel, nodeRuntime } from "../dist/node.js";
import { decodeModel } from "../dist/onnx.js";

const {
  positionals: [task],
  values: flags,
} = parseArgs({
  allowPositionals: true,
  options: {
    models: { type: "string" },
    depths: { type: "string", default: "2,4,8,16,24" },
    layers: { type: "string", default: "4" },
    steps: { type: "string", default: "300" },
    only: { type: "string", default: "" },
    seed: { type: "string", default: "0" },
    chart: { type: "string" },
    rows: { type: "string" },
    json: { type: "boolean", default: false },
    child: { type: "string" },
  },
});
if (!flags.models || !["memory", "perplexity"].includes(task))
  throw new Error(
    "llama needs a task, memory or perplexity, and the folder that llama-models.py wrote; pass --models FOLDER.",
  );

const length = 64;
const lowMemory = { lowMemory: true, tangentChunk: 1 };
/** Ways to get a gradient, as `train` takes them. */
const methods = {
  "exact gradient": { gradient: "exact" },
  "weights, low memory": { perturb: { name: "weights", guess: "none" }, ...lowMemory },
  "activations, low memory": { perturb: { name: "activations", guess: "none" }, ...lowMemory },
  "residual stream": { perturb: { name: "blocks", guess: "residual" } },
};

/** Pieces of the text: 64 bytes, and those that follow each. */
function textExamples(from, to) {
  const bytes = readFileSync(join(flags.models, "tokens.npy")).subarray(128);
  const all = Math.floor((bytes.length - 1) / length);
  const [first, count] = [Math.floor(from * all), Math.floor(to * all) - Math.floor(from * all)];
  const piece = (offset) => {
    const start = first * length + offset;
    return bytes.subarray(start, start + count * length);
  };
  return { inputs: Float32Array.from(piece(0)), labels: Int32Array.from(piece(1)), shape: [length], count };
}

function settings(layers, method, more) {
  return {
    model: loadModel(join(flags.models, `llama-${layers}-q4.onnx`)),
    runtime: nodeRuntime({ threads: 1 }),
    examples: textExamples(0, 0.8),
    validation: 32,
    // The matrices of 4 bits, of all layers and behind them.
    adapter: { rank: 4, target: (name) => name.endsWith("_Q4") },
    ...{ optimizer: "adam", seed: Number(flags.seed), batch: 16 },
    ...methods[method],
    ...more,
  };
}

const status = (field) =>
  Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync("/proc/self/status", "utf8"))?.[1]) / 1024;

async function measureMemory(method, layers) {
  let before = 0;
  let peak = 0;
  const started = performance.now();
  for await (const event of train(settings(layers, method, { steps: 2, learningRate: 1e-3 }))) {
    if (event.kind === "start") {
      globalThis.gc?.();
      before = status("VmRSS");
      // Linux: the peak counts from here on.
      writeFileSync("/proc/self/clear_refs", "5");
    }
    if (event.kind === "step") peak = status("VmHWM");
  }
  const seconds = (performance.now() - started) / 1000;
  return { method, layers, beforeMebibytes: before, stepsMebibytes: peak - before, seconds };
}

function inChild(method, layers) {
  const child = ["--expose-gc", import.meta.filename, "memory", "--models", flags.models];
  const {
    stdout,
    stderr,
    status: code,
  } = spawnSync(process.execPath, [...child, "--child", JSON.stringify({ method, layers })], {
    encoding: "utf8",
  });
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout.trim().split("\n").at(-1));
}

const rates = [0.001, 0.003, 0.01, 0.03];
const steps = Number(flags.steps);

async function perplexity(method, learningRate, examples) {
  const run = settings(Number(flags.layers), method, { steps, learningRate });
  let trained = run.model;
  for await (const event of train(run)) if (event.kind === "done") trained = decodeModel(event.model);
  return Math.exp((await measure(trained, examples)).loss);
}

const measure = (model, examples) =>
  evaluateModel({
    model,
    parameters: {},
    examples,
    loss: crossEntropy(),
    runtime: nodeRuntime({ threads: 1 }),
  });

async function searched(method) {
  const [validation, test] = [textExamples(0.8, 0.9), textExamples(0.9, 1)];
  const tried = [];
  for (const rate of rates) {
    const found = await perplexity(method, rate, validation);
    tried.push({ rate, validation: found });
    console.error(`${method}, rate ${rate}: ${found.toFixed(1)} on validation texts`);
  }
  const best = tried.reduce((a, b) => (b.validation < a.validation ? b : a));
  return { method, ...best, steps, test: await perplexity(method, best.rate, test), tried };
}

const colors = ["#000000", "#d55e00", "#0072b2", "#009e73"];

async function drawMemory(rows, file) {
  const domain = Object.keys(methods).filter((name) => rows.some(({ method }) => method === name));
  const { spec } = compile({
    data: { values: rows },
    background: "white",
    padding: 10,
    width: 420,
    height: 260,
    mark: { type: "line", point: { size: 45, filled: true }, strokeWidth: 2 },
    encoding: {
      x: { field: "layers", type: "quantitative", axis: { title: "Layers", values: [2, 4, 8, 16, 24] } },
      y: {
        field: "stepsMebibytes",
        type: "quantitative",
        axis: { title: "What steps add at their peak, MiB" },
      },
      // Okabe and Ito's colours, told apart by shape and dash as well.
      color: {
        ...{ field: "method", type: "nominal", title: null },
        scale: {
          domain,
          range: Object.keys(methods).flatMap((name, at) => (domain.includes(name) ? [colors[at]] : [])),
        },
      },
      strokeDash: { field: "method", type: "nominal", title: null },
      shape: { field: "method", type: "nominal", title: null },
    },
    config: {
      font: "sans-serif",
      axis: { labelFontSize: 13, titleFontSize: 14 },
      legend: { labelFontSize: 13, labelLimit: 300 },
    },
  });
  writeFileSync(file, await new vega.View(vega.parse(spec), { renderer: "none" }).toSVG());
}

if (flags.child) {
  const { method, layers } = JSON.parse(flags.child);
  console.log(JSON.stringify(await measureMemory(method, layers)));
} else {
  const chosen = Object.keys(methods).filter((name) => new RegExp(flags.only).test(name));
  const rows = flags.rows ? JSON.parse(readFileSync(flags.rows, "utf8")) : [];
  for (const method of flags.rows ? [] : chosen) {
    if (task === "perplexity") rows.push(await searched(method));
    else
      for (const layers of flags.depths.split(",").map(Number)) {
        // Two layers have no stream that a guess could follow: the last one's input is the first one's end.
        if (method === "residual stream" && layers < 3) continue;
        rows.push(inChild(method, layers));
        console.error(JSON.stringify(rows.at(-1)));
      }
  }
  if (flags.chart) await drawMemory(rows, flags.chart);
  if (flags.json) console.log(JSON.stringify(rows));
  else console.table(rows.map(({ tried: _, ...row }) => row));
}
