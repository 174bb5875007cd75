// Whole training steps of each estimator next to bare MatMul sessions that do the same floating-point work, in turns, and
// where the rest of the time goes.
import { mlp } from "../dist/index.js";
import { nodeRuntime } from "../dist/node.js";
import { bareProducts, gemmUnit, unavoidableProducts, unitsOf } from "./matrix-products.mjs";
import { inTurns, median, medianRatio, short, table } from "./measure.mjs";
import { drawing, timingRuntime, trainingStep } from "./problem.mjs";

const estimators = [
  { name: "weights, gaussian", kind: "dense", settings: { perturb: "weights", sampler: "gaussian" } },
  { name: "weights, rademacher", kind: "dense", settings: { perturb: "weights", sampler: "rademacher" } },
  { name: "weights, low-rank", kind: "low-rank", settings: { perturb: "weights", sampler: "low-rank" } },
  {
    name: "activations, gaussian",
    kind: "activations",
    settings: { perturb: "activations", sampler: "gaussian" },
  },
  {
    name: "activations, rademacher",
    kind: "activations",
    settings: { perturb: "activations", sampler: "rademacher" },
  },
  { name: "exact gradient", kind: "exact", settings: { gradient: "exact" } },
];

export const title = "A training step: its matrix products, and where the rest of the time goes";

export async function* rows({ widths = [256, 1024], batch = 64, k = 16, threads, signal }) {
  const runtime = nodeRuntime({ threads });
  for (const width of widths) {
    const problem = { sizes: [784, width, width, 10], batch, k };
    const model = mlp({ input: [1, 28, 28], hidden: [width, width], outputs: 10 });
    for (const { name, kind, settings } of estimators) {
      const timing = timingRuntime(runtime);
      const one = { model, shape: [1, 28, 28], batch, runtime: timing.runtime };
      const training = await trainingStep({
        ...one,
        settings: kind === "exact" ? settings : { tangents: k, ...settings },
      });
      const products = unavoidableProducts(kind, problem);
      const [bare, unit] = [await bareProducts(products, runtime), await gemmUnit(problem, runtime)];
      const parts = [];
      const sampling = drawing({ ...training, batch, settings: { tangents: k, ...settings } });
      const times = await inTurns(
        {
          async step() {
            timing.reset();
            const start = performance.now();
            const { update } = await training.step();
            const step = performance.now() - start;
            parts.push({ ...timing.spent, update });
            return step;
          },
          bare: bare.run,
          unit: unit.run,
          ...(sampling ? { sampling: sampling.draw } : {}),
        },
        { rounds: 40, warmUp: 5, seconds: 10, signal },
      );
      await Promise.all([training, bare, unit, sampling].map((used) => used?.release()));
      const part = (which) => median(parts.slice(-times.step.length).map((spent) => spent[which]));
      const step = median(times.step);
      const known = {
        derivatives: part("derivatives"),
        gram: part("gram"),
        combination: part("combination"),
        sampling: sampling ? median(times.sampling) : 0,
        update: part("update"),
      };
      const rest = step - Object.values(known).reduce((sum, value) => sum + value, part("other"));
      yield {
        width,
        estimator: name,
        batch,
        k,
        threads: runtime.threads,
        rounds: times.step.length,
        step,
        bare: median(times.bare),
        overBare: medianRatio(times.step, times.bare),
        derivativesOverBare: medianRatio(
          parts.slice(-times.step.length).map(({ derivatives }) => derivatives),
          times.bare,
        ),
        unit: median(times.unit),
        unavoidableUnits: unitsOf(products, problem),
        units: medianRatio(times.step, times.unit),
        numbers: sampling?.numbers ?? 0,
        parts: { ...known, rest },
      };
    }
  }
}

export function print(results) {
  const ratios = table(
    [
      "estimator",
      "width",
      "step ms",
      "same products, bare ms",
      "step ÷ bare",
      "step, units",
      "unavoidable units",
      "unit ms",
    ],
    results.map((row) => [
      row.estimator,
      row.width,
      short(row.step),
      short(row.bare),
      short(row.overBare),
      short(row.units),
      short(row.unavoidableUnits),
      short(row.unit),
    ]),
  );
  const parts = table(
    [
      "estimator",
      "width",
      "derivatives",
      "sampling",
      "Gram",
      "combination",
      "update",
      "rest",
      "all else ÷ derivatives",
      "million numbers",
    ],
    results.map((row) => [
      row.estimator,
      row.width,
      ...["derivatives", "sampling", "gram", "combination", "update", "rest"].map((name) =>
        short(row.parts[name]),
      ),
      short((row.step - row.parts.derivatives) / row.parts.derivatives),
      short(row.numbers / 1e6),
    ]),
  );
  const [{ batch, k, threads }] = results;
  return (
    `784-w-w-10, batch ${batch}, k = ${k}, ${threads} threads; a unit is 2·batch·n operations\n\n${ratios}\n\n` +
    `Milliseconds of a step (rest: aggregation, copies, and what sampling inside a step costs more or less than alone)\n\n${parts}`
  );
}
