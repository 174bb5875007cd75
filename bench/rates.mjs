// Short runs at several learning rates: loss of the first and last 20 steps, and test accuracy. For example:
//   node bench/rates.mjs --data mnist --folder DIR --model lenet5 --rates 0.01,0.03 \
//     --settings '{"perturb":"activations","aggregate":"mean","steps":300}'
// `--shape` gives the model's own options, such as '{"norm":"group","width":16}'; without --rates, the default rate runs.
// With `--validation` the last training examples are set aside and take the place of the test's, so that rates can be chosen by them.
import { parseArgs } from "node:util";
import { cifar10, mnist } from "../dist/data.js";
import { models, train } from "../dist/index.js";
import { folderStore, nodeRuntime } from "../dist/node.js";

const { values: flags } = parseArgs({
  options: {
    data: { type: "string", default: "mnist" },
    folder: { type: "string", default: "." },
    model: { type: "string", default: "lenet5" },
    shape: { type: "string", default: "{}" },
    settings: { type: "string", default: "{}" },
    rates: { type: "string" },
    tests: { type: "string", default: "2000" },
    threads: { type: "string" },
    validation: { type: "boolean", default: false },
  },
});
const dataset = await { mnist, cifar10 }[flags.data](folderStore(flags.folder));
const { train: all } = dataset;
const tests = Number(flags.tests);
const examples = flags.validation ? part(all, 0, all.count - tests) : all;
const test = flags.validation ? part(all, all.count - tests, all.count) : part(dataset.test, 0, tests);
const rates = flags.rates ? flags.rates.split(",").map(Number) : [undefined];
const mean = (list) => list.reduce((sum, value) => sum + value, 0) / list.length;

for (const learningRate of rates) {
  const model = models[flags.model]({
    input: dataset.train.shape,
    outputs: dataset.classes,
    normalization: dataset.normalization,
    ...JSON.parse(flags.shape),
  });
  const losses = [];
  let start;
  let end = "";
  try {
    const events = train({
      model,
      examples,
      test,
      runtime: nodeRuntime({ threads: flags.threads && Number(flags.threads) }),
      learningRate,
      steps: 300,
      divergenceFactor: 5,
      ...JSON.parse(flags.settings),
    });
    for await (const event of events) {
      if (event.kind === "start") start = event;
      if (event.kind === "step") losses.push(event.loss);
      if (event.kind === "done") {
        const { testAccuracy, secondsPerStep } = event.result;
        end = `${flags.validation ? "validation" : "test"} ${(100 * testAccuracy).toFixed(1)} %, ${(1000 * secondsPerStep).toFixed(0)} ms a step`;
      }
    }
  } catch (error) {
    if (error.name !== "DivergenceError") throw error;
    end = `diverged at step ${losses.length}`;
  }
  const [first, last] = [losses.slice(0, 20), losses.slice(-20)].map((part) => mean(part).toFixed(3));
  console.log(
    `${flags.model} ${flags.shape} ${flags.settings} n ${start.dimension} rate ${start.learningRate.toPrecision(3)}: ` +
      `loss ${first} → ${last}, ${end}`,
  );
}

/** Examples from `first` to before `end`. */
function part({ shape, inputs, labels, count, ...rest }, first, end) {
  const last = Math.min(end, count);
  const size = shape.reduce((product, side) => product * side, 1);
  return {
    ...rest,
    shape,
    count: last - first,
    inputs: inputs.subarray(first * size, last * size),
    labels: labels.subarray(first, last),
  };
}
