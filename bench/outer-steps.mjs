// What local steps cost in accuracy, and save in bytes: two parts of a batch, H local steps between exchanges, as many steps in all:
//   node bench/outer-steps.mjs --folder MNIST [--steps 1600] [--gradient forward|exact] [--local 1,4,16]
// Outer rate and momentum of each H are chosen on validation digits, with seed 0; the test digits of the chosen are read once for each seed. Two
// workers give the bytes of this one process (test/distributed-parts.test.ts), so that no server is needed here.
import { parseArgs } from "node:util";
import { mnist } from "../dist/data.js";
import { mlp, train } from "../dist/index.js";
import { folderStore, nodeRuntime } from "../dist/node.js";

const { values: flags } = parseArgs({
  options: {
    folder: { type: "string", default: "." },
    steps: { type: "string", default: "1600" },
    gradient: { type: "string", default: "forward" },
    local: { type: "string", default: "1,4,16" },
    rates: { type: "string", default: "0.7,1" },
    momenta: { type: "string", default: "0,0.5,0.9" },
    seeds: { type: "string", default: "0,1" },
  },
});
const numbers = (text) => text.split(",").map(Number);
const runtime = nodeRuntime({ threads: 1 });
const { train: examples, test } = await mnist(folderStore(flags.folder));
const [parts, workers] = [2, 2];
const total = Number(flags.steps);
const model = mlp({ input: [1, 28, 28], hidden: [64], outputs: 10 });
const parameters = 784 * 64 + 64 + 64 * 10 + 10;

/** A run of so many exchanges; undefined where it diverged. */
async function run(batch, steps, seed) {
  const options = {
    ...{ model, examples, test, runtime, seed, steps, gradient: flags.gradient, validation: 5000 },
    batch: { size: 128, accumulate: parts, ...batch },
  };
  try {
    for await (const event of train(options)) if (event.kind === "done") return event.result;
  } catch (error) {
    if (error.name !== "DivergenceError") throw error;
  }
  return undefined;
}

const share = (value) => (value === undefined ? null : Number((100 * value).toFixed(2)));
const say = (line) => console.log(JSON.stringify(line));

async function finals(name, batch, steps) {
  const results = [];
  for (const seed of numbers(flags.seeds)) results.push(await run(batch, steps, seed));
  // n numbers to each worker, and n of each part back.
  const megabytes = Number(((steps * 4 * parameters * (workers + parts)) / 1e6).toFixed(1));
  const test = results.map((result) => share(result?.testAccuracy));
  say({ name, ...batch, exchanges: steps, gradient: flags.gradient, test, megabytes });
}

await finals("every step", {}, total);
for (const localSteps of numbers(flags.local)) {
  let best;
  for (const outerRate of numbers(flags.rates))
    for (const outerMomentum of numbers(flags.momenta)) {
      const batch = { localSteps, outerRate, outerMomentum };
      const result = await run(batch, total / localSteps, 0);
      say({ ...batch, validation: share(result?.validationAccuracy) });
      if (result && !(best?.accuracy >= result.validationAccuracy))
        best = { batch, accuracy: result.validationAccuracy };
    }
  if (best) await finals(`${localSteps} local steps`, best.batch, total / localSteps);
}
