// Cost of a step over the number of tangents: the marginal tangent in GEMM units, and whether the cost grows in proportion.
import { mlp } from "../dist/index.js";
import { nodeRuntime } from "../dist/node.js";
import { gemmUnit, unavoidableProducts, unitsOf } from "./matrix-products.mjs";
import { fitLine, inTurns, median, short, table } from "./measure.mjs";
import { timingRuntime, trainingStep } from "./problem.mjs";

const counts = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const estimators = [
  { name: "weights, gaussian", kind: "dense", settings: { perturb: "weights", sampler: "gaussian" } },
  { name: "weights, low-rank", kind: "low-rank", settings: { perturb: "weights", sampler: "low-rank" } },
];

export const title = "A step over the number of tangents";

export async function* rows({ widths = [256, 1024], batch = 64, threads, seconds = 30, signal }) {
  const runtime = nodeRuntime({ threads });
  for (const width of widths) {
    const problem = { sizes: [784, width, width, 10], batch };
    const model = mlp({ input: [1, 28, 28], hidden: [width, width], outputs: 10 });
    for (const { name, kind, settings } of estimators) {
      const unit = await gemmUnit(problem, runtime);
      const cells = [];
      for (const k of counts) {
        const timing = timingRuntime(runtime);
        const one = { model, shape: [1, 28, 28], batch, runtime: timing.runtime };
        const training = await trainingStep({ ...one, settings: { tangents: k, ...settings } });
        const derivatives = [];
        const times = await inTurns(
          {
            async step() {
              timing.reset();
              await training.step();
              derivatives.push(timing.spent.derivatives);
            },
            unit: unit.run,
          },
          { rounds: 15, warmUp: 1, seconds: seconds / counts.length, signal },
        );
        await training.release();
        const unavoidable = unitsOf(unavoidableProducts(kind, { ...problem, k }), problem);
        cells.push({
          k,
          milliseconds: median(times.step),
          derivatives: median(derivatives.slice(1)),
          unit: median(times.unit),
          unavoidable,
        });
      }
      await unit.release();
      const unitMilliseconds = median(cells.map((cell) => cell.unit));
      const line = (part) =>
        fitLine(
          counts,
          cells.map((cell) => cell[part]),
        );
      const step = line("milliseconds");
      // The slope between neighbours where k doubles: the same everywhere if the cost is a straight line.
      const between = cells.slice(1).map((cell, index) => {
        const before = cells[index];
        return (cell.milliseconds - before.milliseconds) / (cell.k - before.k) / unitMilliseconds;
      });
      yield {
        width,
        estimator: name,
        batch,
        threads: runtime.threads,
        unitMilliseconds,
        cells,
        marginal: {
          units: step.slope / unitMilliseconds,
          standardError: step.standardError / unitMilliseconds,
          derivativesUnits: line("derivatives").slope / unitMilliseconds,
          unavoidableUnits: line("unavoidable").slope,
        },
        linear: { explained: step.explained, between },
      };
    }
  }
}

export function print(results) {
  const [{ batch, threads }] = results;
  const heads = results.map(({ estimator, width }) => `${estimator.replace("weights, ", "")} ${width}`);
  const times = table(
    ["k", ...heads],
    counts.map((k, index) => [k, ...results.map(({ cells }) => short(cells[index].milliseconds))]),
  );
  const slopes = table(
    [
      "marginal tangent",
      "width",
      "units",
      "± s.e.",
      "derivatives",
      "unavoidable",
      "R²",
      "units from k/2 to k, k = 2, 4, …",
    ],
    results.map(({ estimator, width, marginal, linear }) => [
      estimator,
      width,
      short(marginal.units),
      short(marginal.standardError, 2),
      short(marginal.derivativesUnits),
      short(marginal.unavoidableUnits),
      linear.explained.toFixed(5),
      linear.between.map((value) => short(value, 2)).join(" "),
    ]),
  );
  return `784-w-w-10, batch ${batch}, ${threads} threads; milliseconds a step\n\n${times}\n\n${slopes}`;
}
