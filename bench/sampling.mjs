// Nanoseconds a number of the random numbers that tangents are made of, on one thread and on two, and of whole sets of
// tangents of each sampler. Run with `npm run build && node bench/sampling.mjs`; `--json` prints data instead of a table.

import { createDrawer, createTangentSet, drawTangents } from "../dist/autodiff.js";
import { fold, keyFromSeed, samplers } from "../dist/index.js";
import { nodeRuntime } from "../dist/node.js";

const k = 16;
const rounds = 30;
const drawers = {
  one: createDrawer(),
  two: createDrawer(nodeRuntime({ threads: 2 })),
};
// The parameters of a network 784-1024-1024-10.
const parameters = [[784, 1024], [1024], [1024, 1024], [1024], [1024, 10], [10]].map((shape, index) => ({
  name: `p${index}`,
  shape,
}));

const key = keyFromSeed(1);
const out = new Float32Array(2 ** 22);
const cases = ["words", "uniform", "normal", "rademacher"].map((fill) => ({
  name: fill,
  numbers: out.length,
  run: (drawer, round) => drawer.draw([{ fill, key: fold(key, round), start: 0, out }]),
}));
for (const [name, create] of Object.entries(samplers)) {
  // Its Gram-Schmidt takes O(k²n), not drawing.
  if (name === "orthonormal") continue;
  const set = createTangentSet(parameters, k, create());
  cases.push({
    name: `tangents, ${name}`,
    numbers: set.parts.reduce((total, { tensor }) => total + tensor.data.length, 0),
    run: (drawer, round) => drawTangents(set, fold(key, round), drawer),
  });
}
// Many small arrays: 64 numbers in each of 4096 streams.
const small = Array.from({ length: 4096 }, (_, index) => out.subarray(index * 64, (index + 1) * 64));
cases.push({
  name: "4096 streams of 64",
  numbers: 64 * 4096,
  run: (drawer, round) =>
    drawer.draw(
      small.map((piece, index) => ({
        fill: "normal",
        key: fold(fold(key, round), index),
        start: 0,
        out: piece,
      })),
    ),
});

const results = [];
for (const { name, numbers, run } of cases) {
  const times = { one: [], two: [] };
  for (let round = 0; round < rounds; round++)
    for (const [threads, drawer] of Object.entries(drawers)) {
      const start = performance.now();
      run(drawer, round);
      times[threads].push(((performance.now() - start) * 1e6) / numbers);
    }
  const [one, two] = Object.values(times).map((list) => {
    const sorted = list.toSorted((a, b) => a - b);
    return { median: sorted[rounds >> 1], least: sorted[0] };
  });
  results.push({ name, numbers, one, two });
}
await drawers.two.release();
if (process.argv.includes("--json")) console.log(JSON.stringify(results));
else {
  console.log("nanoseconds a number            one thread: median, least     two threads: median, least");
  const column = ({ median, least }) => median.toFixed(3).padStart(16) + least.toFixed(3).padStart(10);
  for (const { name, one, two } of results)
    console.log(`${name.padEnd(30)}${column(one)}${column(two).padStart(29)}`);
}
