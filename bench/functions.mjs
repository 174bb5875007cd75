// Minimizing closed-form functions: microseconds of a whole step (Styblinski-Tang, n = 64, k = 16) and where they go, next
// to the same derivatives by a session of the engine; and the paper's sets of 440 runs next to the authors' code. Run with
// `node bench/functions.mjs` after `npm run build`; `--json` prints data, `--sets` adds the sets (half a minute).

import { derivativeGraph, fillNormal } from "../dist/autodiff.js";
import { aggregators, float64, fold, keyFromSeed } from "../dist/index.js";
import { nodeRuntime } from "../dist/node.js";
import { encodeGraph, initializersToInputs } from "../dist/onnx.js";
import {
  functionGraph,
  functionLearningRate,
  functions,
  optimizeFunction,
  startDescent,
} from "../dist/studies.js";

const [n, k, steps] = [64, 16, 1000];
const fn = functions["styblinski-tang"];
const rounds = 40;
/** Seconds that the authors' code took for the same runs on one thread of this machine. */
const authors = { sphere: 66, "styblinski-tang": 200 };

const descend = (method) => () => {
  const descent = startDescent({
    ...{ fn, n, method, steps, seed: 0, patience: 0 },
    learningRate: functionLearningRate(fn.name, n, method),
  });
  descent.advance(steps);
};

/** Functions that do the same work as 1,000 steps. */
async function contestants() {
  const key = keyFromSeed(0);
  const numbers = new Float32Array(4 * k * n);
  const [x, gradient] = [fn.start(n), new Float64Array(n)];
  const rows = new Float32Array(k * n);
  fillNormal(fold(key, 1), 0, rows);
  const row = (i) => rows.subarray(i * n, (i + 1) * n);
  const gram = Float64Array.from({ length: k * k }, (_, place) =>
    row(Math.floor(place / k)).reduce((sum, value, j) => sum + value * row(place % k)[j], 0),
  );
  const derivatives = Float64Array.from({ length: k }, (_, i) => Math.sin(i));
  const coefficients = new Float64Array(k);
  const solver = aggregators.projection();
  const graph = initializersToInputs(functionGraph(fn, n), ["x"]);
  const runtime = nodeRuntime({ threads: 1 });
  const session = await runtime.createSession(
    encodeGraph(derivativeGraph(graph, new Map([["x", "stacked"]]), k, "loss")),
  );
  const feeds = { x: float64(x), "tangent/x": float64(Float64Array.from(rows), [k, n]) };
  return {
    projection: descend({ gradient: "projection", k }),
    mean: descend({ gradient: "mean", k }),
    exact: descend({ gradient: "exact", k: 0 }),
    draws: () => {
      for (let step = 0; step < steps; step += 4) fillNormal(key, step * k * n, numbers);
    },
    value: () => {
      for (let step = 0; step < steps; step++) fn.evaluate(x, gradient);
    },
    solve: () => {
      for (let step = 0; step < steps; step++) solver.aggregate(derivatives, gram, coefficients);
    },
    session: async () => {
      for (let step = 0; step < steps; step++) await session.run(feeds);
    },
  };
}

/**
 * Milliseconds of 1,000 steps are microseconds of one. Every round gives each its turn, and the fastest round counts: what
 * else the machine does only adds time.
 */
async function microseconds() {
  const list = Object.entries(await contestants());
  const times = Object.fromEntries(list.map(([name]) => [name, []]));
  for (let round = -3; round < rounds; round++) {
    for (const [name, run] of list) {
      const start = performance.now();
      await run();
      if (round >= 0) times[name].push(performance.now() - start);
    }
  }
  return Object.fromEntries(Object.entries(times).map(([name, values]) => [name, Math.min(...values)]));
}

function secondsOfSet(name) {
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  let runs = 0;
  for (let power = 0; power <= 10; power++) {
    for (const [gradient, count] of [
      ...[["exact", 0]],
      ...[1, 2, 4, 16].map((many) => ["mean", many]),
      ...[2, 4, 16].map((many) => ["projection", many]),
    ]) {
      for (let seed = 0; seed < 5; seed++) {
        const method = { gradient, k: count };
        const learningRate = functionLearningRate(name, 2 ** power, method);
        optimizeFunction({ fn: functions[name], n: 2 ** power, method, learningRate, steps: 1000, seed });
        runs += 1;
      }
    }
  }
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { name, runs, seconds, cpuSeconds: (user + system) / 1e6, authorsSeconds: authors[name] };
}

const time = await microseconds();
const parts = {
  draws: time.draws,
  "value and gradient": time.value,
  "derivatives, combination, update": time.mean - time.draws - time.value,
  "Gram matrix": time.projection - time.mean - time.solve,
  "k×k solve": time.solve,
};
const sets = process.argv.includes("--sets") ? Object.keys(authors).map(secondsOfSet) : [];
if (process.argv.includes("--json")) console.log(JSON.stringify({ n, k, microseconds: time, parts, sets }));
else {
  const line = (name, value, unit = "µs") =>
    console.log(`${name.padEnd(44)}${value.toFixed(2).padStart(8)} ${unit}`);
  console.log(`A whole step of Styblinski-Tang, n = ${n}, k = ${k}, one thread`);
  line("projection", time.projection);
  for (const [name, value] of Object.entries(parts)) line(`  ${name}`, value);
  line("mean", time.mean);
  line("exact gradient", time.exact);
  line("one session.run of the derivative graph alone", time.session);
  for (const { name, runs, seconds, cpuSeconds, authorsSeconds } of sets)
    console.log(
      `${name}: ${runs} runs in ${seconds.toFixed(1)} s (${cpuSeconds.toFixed(1)} s of processor), the authors' code ${authorsSeconds} s: ` +
        `${(authorsSeconds / seconds).toFixed(1)} times as fast`,
    );
}
