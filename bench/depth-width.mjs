// Step time and peak memory of fully connected networks over width and depth: forward gradients against exact ones. Each cell
// is a process of its own (--child). --chart FILE.svg also draws them.
import { spawn } from "node:child_process";
import { mlp } from "../dist/index.js";
import { nodeRuntime } from "../dist/node.js";
import { median, short, table } from "./measure.mjs";
import { trainingStep } from "./problem.mjs";

const [batch, k] = [64, 16];
const estimators = {
  activations: { perturb: "activations", tangents: k },
  "weights, low-rank": { perturb: "weights", sampler: "low-rank", tangents: k },
  "exact gradient": { gradient: "exact" },
};

export const title = "Step time and peak memory over width and depth";

export async function* rows(options) {
  const { widths = [256, 512, 1024, 2048, 4096], depths = [2, 4, 8, 16, 32], seconds = 40, signal } = options;
  const baseline = await child({}, options);
  if (!baseline.peak) throw new Error(`A process that trains nothing failed: ${baseline.reason}.`);
  for (const estimator of Object.keys(estimators)) {
    for (const width of widths) {
      let tooLong;
      for (const depth of depths) {
        signal?.throwIfAborted();
        const cell = { estimator, width, depth, batch, k, parameters: parametersOf(width, depth) };
        // A deeper network takes longer than one that took too long.
        const measured = tooLong ? { reason: tooLong } : await child({ estimator, width, depth }, options);
        if (measured.reason) tooLong = measured.reason;
        const { milliseconds, peak, reason, steps } = measured;
        yield reason
          ? { ...cell, skipped: reason, seconds }
          : { ...cell, milliseconds, steps, peakBytes: peak - baseline.peak };
      }
    }
  }
}

const parametersOf = (width, depth) => 785 * width + (depth - 1) * (width + 1) * width + 10 * (width + 1);

/** Runs a cell in a fresh process; `reason` says why there is no result. */
function child(cell, { seconds = 40, threads, signal }) {
  return new Promise((resolve, reject) => {
    const one = spawn(
      process.execPath,
      [import.meta.filename, "--child", JSON.stringify({ ...cell, threads })],
      {
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    let [text, complaint, timedOut] = ["", "", false];
    one.stdout.on("data", (data) => {
      text += data;
    });
    one.stderr.on("data", (data) => {
      complaint = `${complaint}${data}`.slice(-4000);
    });
    const timer = setTimeout(() => {
      timedOut = true;
      one.kill("SIGKILL");
    }, 1000 * seconds);
    const abort = () => one.kill("SIGKILL");
    signal?.addEventListener("abort", abort, { once: true });
    one.on("error", reject);
    one.on("close", (code) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      if (signal?.aborted) reject(signal.reason);
      else if (timedOut) resolve({ reason: `more than ${seconds} s` });
      else if (code !== 0) {
        const message = complaint.split("\n").find((line) => /Error: /.test(line)) ?? `ended with ${code}`;
        resolve({ reason: /2 GiB|memory|allocat/i.test(complaint) ? "too large" : message });
      } else resolve(JSON.parse(text));
    });
  });
}

async function measure({ estimator, width, depth, threads }) {
  const runtime = nodeRuntime({ threads });
  const peak = () => 1024 * process.resourceUsage().maxRSS;
  if (!estimator) {
    // What the library, the engine and a network of no size take.
    const tiny = { model: mlp({ input: [2], hidden: [2], outputs: 2 }), shape: [2], batch: 2, runtime };
    await (await trainingStep({ ...tiny, settings: { gradient: "exact" } })).step();
    return { peak: peak() };
  }
  const training = await trainingStep({
    model: mlp({ input: [1, 28, 28], hidden: Array(depth).fill(width), outputs: 10 }),
    shape: [1, 28, 28],
    batch,
    runtime,
    settings: estimators[estimator],
  });
  await training.step();
  const times = [];
  const started = performance.now();
  while (times.length < 3 || (times.length < 20 && performance.now() - started < 2000)) {
    const start = performance.now();
    await training.step();
    times.push(performance.now() - start);
  }
  return { milliseconds: median(times), steps: times.length, peak: peak() };
}

const mebibytes = (bytes) => bytes / 2 ** 20;

export function print(results) {
  const widths = [...new Set(results.map(({ width }) => width))];
  const depths = [...new Set(results.map(({ depth }) => depth))];
  const sheet = (head, numberOf) =>
    table(
      [head, "width", ...depths.map((depth) => `depth ${depth}`)],
      Object.keys(estimators).flatMap((estimator) =>
        widths.map((width) => [
          estimator,
          width,
          ...depths.map((depth) => {
            const cell = results.find(
              (one) => one.estimator === estimator && one.width === width && one.depth === depth,
            );
            if (!cell) return "";
            return cell.skipped ? "–" : short(numberOf(cell));
          }),
        ]),
      ),
    );
  const skipped = [...new Set(results.flatMap((cell) => (cell.skipped ? [cell.skipped] : [])))];
  return (
    `784-w-…-w-10, depth: number of hidden layers; batch ${batch}, k = ${k}, at all defaults` +
    `${skipped.length > 0 ? `; –: left out (${skipped.join("; ")})` : ""}\n\n` +
    `${sheet("ms a step", (cell) => cell.milliseconds)}\n\n${sheet("peak MiB", (cell) => mebibytes(cell.peakBytes))}`
  );
}

/** Draws the chart that `--chart` asks for. */
export async function finish(results, { chart }) {
  if (!chart || results.length === 0) return;
  const { drawDepthWidth } = await import("./depth-width-chart.mjs");
  await drawDepthWidth(results, chart);
}

if (process.argv[2] === "--child") console.log(JSON.stringify(await measure(JSON.parse(process.argv[3]))));
