// What time-to-accuracy.mjs compares: how each method trains, in this process or as a peer of its own.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { activations, defaultLearningRate, models, schedules, train } from "../dist/index.js";
import { nodeRuntime } from "../dist/node.js";
import { median } from "./measure.mjs";

export const batch = 64;
const validation = 5000;

const feedback = (k) => ({
  label: `feedback, k = ${k}`,
  run: ours({ perturb: activations({ guess: "feedback" }), tangents: k }),
});
/** The authors' own rate for k = 16 and a width of 256 on MNIST (lrs/fc_nns.csv of their code); they have none for LeNet-5. */
const frogRate = 0.0423;

/** Methods by name: label; run, which trains; isPeer, whether that takes other programs; missing, which says why one cannot. */
export const methods = {
  "feedback-2": feedback(2),
  "feedback-4": feedback(4),
  "feedback-8": feedback(8),
  "feedback-16": feedback(16),
  "no-guess": {
    label: "no guess, k = 16",
    run: ours({ perturb: activations({ guess: "none" }), tangents: 16 }),
  },
  exact: { label: "exact gradients", run: ours({ gradient: "exact" }) },
  pytorch: {
    label: "exact gradients, PyTorch",
    isPeer: true,
    run: peer("exact", defaultLearningRate({ perturb: "exact" })),
  },
  frog: {
    label: "frog, weights, k = 16",
    isPeer: true,
    run: peer("frog", frogRate),
    missing: ({ frog }) =>
      existsSync(join(frog ?? "", "nn_training")) ? undefined : "no checkout given (--frog DIR or FROG_DIR)",
  },
};

/**
 * A run of this library.
 *
 * @returns a function of { dataset, model, steps, seed, threads, rate, isTimed, signal }: rate, undefined for the default; isTimed, for
 *   its time alone. It answers with secondsPerStep, rate (before the schedule; the median where a guess sets it),
 *   validationAccuracy, testAccuracy, diverged, version; undefined where it was interrupted
 */
function ours(settings) {
  return async ({ dataset, model, steps, seed, threads, rate, isTimed, signal }) => {
    const { train: examples, test, classes, normalization } = dataset;
    const runtime = nodeRuntime({ threads });
    const schedule = schedules.cosine();
    const rates = [];
    const events = train({
      model: models[model]({ input: examples.shape, outputs: classes, normalization, seed }),
      ...{ examples, test: isTimed ? undefined : test, validation: isTimed ? 0 : validation },
      ...{ runtime, schedule, batch, steps, seed, signal, epochs: steps, learningRate: rate },
      ...settings,
    });
    try {
      for await (const event of events) {
        if (event.kind === "interrupted") return undefined;
        if (event.kind === "step") rates.push(event.learningRate / schedule.factor(event.step - 1, steps));
        if (event.kind !== "done") continue;
        const { secondsPerStep, validationAccuracy, testAccuracy } = event.result;
        const measured = { secondsPerStep, validationAccuracy, testAccuracy };
        return { ...measured, rate: median(rates), diverged: false, version: runtime.name };
      }
    } catch (error) {
      if (error.name !== "DivergenceError") throw error;
      return { rate: rate ?? median(rates), diverged: true, version: runtime.name };
    }
  };
}

/** A run of peers/train.py, as one of `ours`. */
function peer(method, defaultRate) {
  return async (options) => {
    const { model, steps, seed, threads, isTimed, python, frog, folder, signal } = options;
    const rate = options.rate ?? defaultRate;
    const config = { method, model, folder, steps, batch, tangents: 16, rate, seed, threads };
    const given = JSON.stringify({ ...config, validation: isTimed ? 0 : validation });
    const file = join(import.meta.dirname, "peers/train.py");
    const env = { ...process.env, FROG_DIR: frog, OMP_NUM_THREADS: String(threads) };
    const child = spawn(python, ["-W", "ignore", file, given], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
      signal,
    });
    let [text, complaint] = ["", ""];
    child.stdout.on("data", (data) => {
      text += data;
    });
    child.stderr.on("data", (data) => {
      complaint = `${complaint}${data}`.slice(-2000);
    });
    const code = await new Promise((resolve) => {
      // The exit status of a program that cannot start.
      child.on("error", ({ message }) => {
        complaint ||= message;
        resolve(127);
      });
      child.on("close", resolve);
    });
    if (signal?.aborted) return undefined;
    if (code !== 0)
      throw new Error(
        `peers/train.py (${method}): ${complaint.trim().split("\n").at(-1) || `ended with ${code}`}`,
      );
    return { rate, ...JSON.parse(text.trim().split("\n").at(-1)) };
  };
}
