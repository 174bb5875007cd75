// Processor seconds from a model file to a first step, for a file of 2,000 nodes and more:
//
//     node bench/compile.mjs [--model FILE] [--batch N] [--other DIST] [--rounds N]
//
// Each measurement is a process of its own. --other measures the build in another folder in turns with this one, and prints
// the ratio of the two.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { median, medianRatio } from "./measure.mjs";

const { values: flags } = parseArgs({
  options: {
    model: { type: "string" },
    batch: { type: "string", default: "64" },
    other: { type: "string" },
    rounds: { type: "string", default: "3" },
    measure: { type: "string" },
  },
});
const own = resolve(import.meta.dirname, "../dist");

async function measure(dist) {
  const load = (name) => import(pathToFileURL(join(dist, name)).href);
  const { compileObjective, createEstimator, crossEntropy, models } = await load("index.js");
  const { nodeRuntime } = await load("node.js");
  const runtime = nodeRuntime({ threads: 1 });
  const batch = Number(flags.batch);
  const seconds = async (work) => {
    const before = process.cpuUsage();
    const result = await work();
    const { user, system } = process.cpuUsage(before);
    return [(user + system) / 1e6, result];
  };
  // 96 layers of 25 nodes each.
  const model = flags.model
    ? new Uint8Array(readFileSync(flags.model))
    : models.vit({ input: [1, 28, 28], outputs: 10, layers: 96, width: 32, batch });
  const [imported, objective] = await seconds(() =>
    compileObjective({ model, loss: crossEntropy(), runtime, batch }),
  );
  const [activations, estimator] = await seconds(() =>
    createEstimator(objective, { perturb: "activations", tangents: 16 }),
  );
  await estimator.release();
  return { nodes: objective.graph.nodes.length, import: imported, activations };
}

if (flags.measure) {
  console.log(JSON.stringify(await measure(flags.measure)));
} else {
  const builds = { "this build": own, ...(flags.other && { "the other": resolve(flags.other) }) };
  const results = Object.fromEntries(Object.keys(builds).map((name) => [name, []]));
  for (let round = 0; round < Number(flags.rounds); round++)
    for (const [name, dist] of Object.entries(builds)) {
      const child = spawnSync(process.execPath, [...process.argv.slice(1), "--measure", dist], {
        encoding: "utf8",
      });
      if (child.status !== 0) throw new Error(child.stderr);
      results[name].push(JSON.parse(child.stdout));
    }
  for (const [name, rows] of Object.entries(results)) {
    const of = (key) => median(rows.map((row) => row[key])).toFixed(1);
    console.log(
      `${name}: ${rows[0].nodes} nodes, import ${of("import")} s, activations ${of("activations")} s`,
    );
  }
  if (flags.other) {
    const [mine, other] = Object.values(results).map((rows) => rows.map((row) => row.activations));
    console.log(`activations: ${medianRatio(mine, other).toFixed(2)} of the other build's processor time`);
  }
}
