// Learning rates compared: the default rule, `auto` and given ones, over models, seeds and estimators. For example:
//   node bench/auto-step.mjs --data mnist --folder DIR --model lenet5 --rates default,auto,0.1 --seeds 0,1,2 \
//     --settings '{"perturb":"activations","epochs":1}'
// `--shape` gives the model's own options. A row: rate, seed, validation loss and accuracy, test accuracy, last rate, ms.
import { parseArgs } from "node:util";
import { mnist } from "../dist/data.js";
import { glyphs, models, train } from "../dist/index.js";
import { folderStore, nodeRuntime } from "../dist/node.js";

const { values: flags } = parseArgs({
  options: {
    data: { type: "string", default: "glyphs" },
    folder: { type: "string", default: "." },
    model: { type: "string", default: "mlp" },
    shape: { type: "string", default: "{}" },
    settings: { type: "string", default: "{}" },
    rates: { type: "string", default: "default,auto" },
    seeds: { type: "string", default: "0" },
    threads: { type: "string" },
    trace: { type: "boolean", default: false },
  },
});
const dataset = flags.data === "mnist" ? await mnist(folderStore(flags.folder)) : glyphs();
const shape = JSON.parse(flags.shape);
const settings = JSON.parse(flags.settings);
const percent = (value) => `${(100 * value).toFixed(2)} %`;
console.log(`${flags.data} ${flags.model} ${flags.shape} ${flags.settings}`);

for (const rate of flags.rates.split(","))
  for (const seed of flags.seeds.split(",").map(Number)) {
    const learningRate = rate === "auto" ? rate : rate === "default" ? undefined : Number(rate);
    console.log(`${rate} seed ${seed}: ${await measure(learningRate, seed)}`);
  }

async function measure(learningRate, seed) {
  const model = models[flags.model]({
    input: dataset.train.shape,
    outputs: dataset.classes,
    normalization: dataset.normalization,
    seed,
    ...shape,
  });
  const runtime = nodeRuntime({ threads: flags.threads && Number(flags.threads) });
  const options = {
    model,
    examples: dataset.train,
    test: dataset.test,
    runtime,
    learningRate,
    seed,
    ...settings,
  };
  let epoch;
  let step = 0;
  try {
    for await (const event of train({ divergenceFactor: 10, ...options })) {
      if (event.kind === "step") step = event.step;
      if (flags.trace && event.kind === "step" && (step <= 10 || step % 100 === 1))
        console.log(
          `  step ${step}: loss ${event.loss.toFixed(4)}, rate ${event.learningRate?.toPrecision(3)}`,
        );
      if (event.kind === "epoch") epoch = event;
      if (event.kind === "done") {
        const { testAccuracy, learningRate: last, secondsPerStep } = event.result;
        return (
          `validation loss ${epoch.validationLoss.toFixed(4)}, accuracy ${percent(epoch.validationAccuracy)}; ` +
          `test ${percent(testAccuracy)}; rate ${last.toPrecision(3)}; ${(1000 * secondsPerStep).toFixed(1)} ms a step`
        );
      }
    }
  } catch (error) {
    if (error.name !== "DivergenceError") throw error;
    return `diverged at step ${step}`;
  }
}
