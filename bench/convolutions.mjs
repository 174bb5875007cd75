// Steps of networks of convolutions, or of those that --networks names: how far above the time that their rules imply, and which ops
// take it.
import * as autodiff from "../dist/autodiff.js";
import * as index from "../dist/index.js";
import { nodeRuntime } from "../dist/node.js";
import { inTurns, median, medianRatio, short, table } from "./measure.mjs";
import { networks } from "./networks.mjs";
import { drawing, primalPass, purposeOf, timingRuntime, trainingStep } from "./problem.mjs";
import { profilingRuntime } from "./profile.mjs";

const k = 16;
const library = { ...autodiff, ...index };
const estimators = [
  { name: "activations", settings: { perturb: "activations", tangents: k } },
  { name: "weights, low-rank", settings: { perturb: "weights", sampler: "low-rank", tangents: k } },
  { name: "exact gradient", settings: { gradient: "exact" } },
];

export const title = "Networks: steps in forward passes";

/** Products of a graph: operations of each, and whether its data depend on a parameter before it. */
function productsOf(graph, parameters) {
  const carries = new Set(parameters);
  const products = [];
  for (const { op, inputs, outputs } of graph.nodes) {
    if (["Conv", "MatMul", "Gemm"].includes(op)) {
      const [weight, result] = [graph.values.get(inputs[1]), graph.values.get(outputs[0])];
      const inner =
        op === "Conv"
          ? weight.shape.slice(1).reduce((product, size) => product * size, 1)
          : graph.values.get(inputs[0]).shape.at(-1);
      const count = result.shape.reduce((product, size) => product * size, 1);
      const columns = op === "Conv" ? result.shape[1] : result.shape.at(-1);
      products.push({ operations: 2 * count * inner, columns, carried: carries.has(inputs[0]) });
    }
    if (inputs.some((name) => carries.has(name))) for (const name of outputs) carries.add(name);
  }
  return products;
}

/** Forward passes that the rules imply: the primal one, k of what carries tangents, and what the estimator adds. */
function impliedPasses(name, products) {
  const total = products.reduce((sum, { operations }) => sum + operations, 0);
  const share = (measure) => products.reduce((sum, product) => sum + measure(product), 0) / total;
  const carried = share(({ operations, carried }) => (carried ? operations : 0));
  if (name === "exact gradient") return 1 + carried + 1;
  // The local transposes of the weights are as much work as a forward pass.
  if (name === "activations") return 1 + k * carried + 1;
  // A factored tangent of rank 1 is a product with one column.
  return 1 + k * carried + k * share(({ operations, columns }) => operations / columns);
}

export async function* rows({ threads, only, networks: named, seconds = 12, signal }) {
  const runtime = nodeRuntime({ threads });
  for (const network of named ?? ["lenet5", "resnet18"]) {
    if (only && !only.includes(network)) continue;
    const { shape, batch, build, input: tokens } = networks[network];
    const [model, input] = [build(library), tokens?.()];
    for (const { name, settings } of estimators) {
      const timing = timingRuntime(runtime);
      const training = await trainingStep({ model, shape, batch, runtime: timing.runtime, settings, input });
      const { objective } = training;
      const primal = await primalPass(objective, { shape, batch, runtime, input });
      const sampling = drawing({ ...training, batch, settings });
      const parts = [];
      const times = await inTurns(
        {
          async step() {
            timing.reset();
            const { update } = await training.step();
            parts.push({ ...timing.spent, update });
          },
          primal: primal.run,
          ...(sampling ? { sampling: sampling.draw } : {}),
        },
        { rounds: 20, seconds, signal },
      );
      await Promise.all([training, primal, sampling].map((used) => used?.release()));
      const kept = parts.slice(-times.step.length);
      const part = (which) => median(kept.map((spent) => spent[which]));
      const passes = impliedPasses(name, productsOf(objective.graph, Object.keys(objective.parameters)));
      yield {
        network,
        estimator: name,
        batch,
        k,
        threads: runtime.threads,
        parameters: Object.values(objective.parameters).reduce((sum, { data }) => sum + data.length, 0),
        dimension: training.estimator.dimension,
        step: median(times.step),
        primal: median(times.primal),
        passes: medianRatio(times.step, times.primal),
        impliedPasses: passes,
        overImplied: medianRatio(times.step, times.primal) / passes,
        derivativesOverImplied:
          medianRatio(
            kept.map(({ derivatives }) => derivatives),
            times.primal,
          ) / passes,
        parts: {
          derivatives: part("derivatives"),
          gram: part("gram"),
          combination: part("combination"),
          sampling: sampling ? median(times.sampling) : 0,
          update: part("update"),
        },
        ops: await opTimes({ model, shape, batch, input, threads: runtime.threads, settings, signal }),
      };
    }
  }
}

/** Milliseconds of a step by graph and op, from ONNX Runtime's profile. */
async function opTimes({ model, shape, batch, input, threads, settings, signal }) {
  const profile = profilingRuntime({ threads, purposeOf });
  const training = await trainingStep({ model, shape, batch, runtime: profile.runtime, settings, input });
  const steps = 4;
  for (let step = 0; step < steps; step++) {
    signal?.throwIfAborted();
    await training.step();
  }
  return profile.byOp(steps);
}

export function print(results) {
  const [{ threads }] = results;
  const steps = table(
    [
      "network",
      "estimator",
      "batch",
      "step ms",
      "primal ms",
      "passes",
      "implied",
      "÷ implied",
      "derivatives ÷ implied",
    ],
    results.map((row) => [
      row.network,
      row.estimator,
      row.batch,
      short(row.step),
      short(row.primal),
      short(row.passes),
      short(row.impliedPasses),
      short(row.overImplied),
      short(row.derivativesOverImplied),
    ]),
  );
  const parts = table(
    ["network", "estimator", "derivatives", "sampling", "Gram", "combination", "update", "rest"],
    results.map(({ network, estimator, step, parts }) => [
      network,
      estimator,
      ...["derivatives", "sampling", "gram", "combination", "update"].map((name) => short(parts[name])),
      short(step - Object.values(parts).reduce((sum, value) => sum + value, 0)),
    ]),
  );
  const ops = results.map(({ network, estimator, ops }) => {
    const graphs = Object.entries(ops).map(([purpose, times]) => {
      const sorted = Object.entries(times).sort(([, a], [, b]) => b - a);
      const most = sorted.slice(0, 7).map(([op, time]) => `${op} ${short(time)}`);
      return `  ${purpose}: ${most.join(", ")}`;
    });
    return [`${network}, ${estimator}`, ...graphs].join("\n");
  });
  return (
    `k = ${k}, ${threads} threads; a pass is the model and its loss on the batch\n\n${steps}\n\nMilliseconds\n\n${parts}\n\n` +
    `Milliseconds by op, profiled\n\n${ops.join("\n")}`
  );
}
