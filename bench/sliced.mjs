// An update, its Gram matrix, and the passes of a step's granules, with tangents of slices and of all parameters, in turns:
//   node bench/sliced.mjs [--sampler rademacher] [--rounds 7]
import { parseArgs } from "node:util";
import { openGram, openSliceGrams } from "../dist/distributed/weights/gram.js";
import { openGranulePass } from "../dist/distributed/weights/granule.js";
import { methodOf } from "../dist/distributed/weights/granules.js";
import { granulesOf } from "../dist/distributed/weights/slices.js";
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
    sampler: { type: "string", default: "rademacher" },
    rounds: { type: "string", default: "7" },
    tangents: { type: "string", default: "16" },
  },
});
const [tangents, granule] = [Number(flags.tangents), 4];
const sampler = samplers[flags.sampler]();
const runtime = nodeRuntime({ threads: 1 });
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

for (const hidden of [
  [512, 512],
  [640, 756],
]) {
  const model = models.mlp({ input: [1, 28, 28], hidden, outputs: 10 });
  const batch = 256;
  const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch });
  const shapes = Object.entries(objective.parameters).map(([name, { shape }]) => ({ name, shape }));
  const feeds = { ...objective.parameters, ...randomBatch(batch, [1, 28, 28]) };
  const granules = granulesOf(tangents, granule);
  const coefficients = Float32Array.from({ length: tangents }, (_, index) => 1 + index);
  const kinds = [];
  for (const isSliced of [false, true]) {
    const options = { tangents, sampler, aggregator: aggregators.projection() };
    const { method, sliced } = methodOf(objective, options, { granule, sliced: isSliced });
    const update = openUpdate(shapes, sampler, undefined, sliced);
    const grams = await (sliced ? openSliceGrams(objective, method, sliced) : openGram(objective, method));
    const pass = await openGranulePass(objective, sampler, granule, sliced?.slices);
    const calls = {
      update: (key) => update.form(key, coefficients),
      gram: (key) => grams.of(key),
      async passes(key) {
        for (const each of granules) await pass.measure(feeds, key, each);
      },
    };
    kinds.push({ calls, times: { update: [], gram: [], passes: [] } });
  }
  for (let round = 0; round < Number(flags.rounds) + 1; round++)
    for (const { calls, times } of kinds)
      for (const [name, call] of Object.entries(calls)) {
        const start = performance.now();
        await call(fold(keyFromSeed(1), round));
        if (round > 0) times[name].push(performance.now() - start);
      }
  const n = Object.values(objective.parameters).reduce((sum, { data }) => sum + data.length, 0);
  const [whole, cut] = kinds.map(({ times }) =>
    Object.fromEntries(Object.entries(times).map(([name, list]) => [name, Number(median(list).toFixed(2))])),
  );
  console.log(JSON.stringify({ n, tangents, sampler: flags.sampler, whole, sliced: cut }));
}
