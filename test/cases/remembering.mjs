// Trains with an estimator that remembers, made of public parts alone; killed at the end of a step where one is given.
//   node remembering.mjs FOLDER '{"killAt": 7, …options of train}'
import {
  aggregate,
  createTangentSet,
  derivativesAlong,
  drawTangents,
  keptWeights,
} from "../../dist/autodiff.js";
import { mlp, train, zeros } from "../../dist/index.js";
import { nodeRuntime, runFolder } from "../../dist/node.js";

/**
 * Weight perturbation with a running mean m of past estimates as a control variate: ĝ = m + V a(d − V m, G) / gain. The
 * mean is written after ĝ was formed.
 */
function remembering(decay) {
  return {
    name: "remembering",
    config: { decay },
    async plan(objective, options) {
      const shapes = Object.entries(objective.parameters).map(([name, { shape }]) => ({ name, shape }));
      const dimension = shapes.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
      return { dimension, open: () => open(objective, shapes, options) };
    },
  };

  async function open(objective, shapes, options) {
    const k = options.tangents;
    const passes = await keptWeights(objective, options);
    const set = createTangentSet(shapes, k, passes.method.sampler);
    const [derivatives, along] = [new Float64Array(k), new Float64Array(k)];
    const coefficients = zeros("float32", [k, 1]);
    const init = () => ({
      steps: new Int32Array(1),
      loss: new Float64Array(1),
      ...Object.fromEntries(
        Object.entries(objective.parameters).map(([name, { data }]) => [
          `mean/${name}`,
          new Float32Array(data.length),
        ]),
      ),
    });
    return {
      name: "remembering",
      dimension: passes.method.dimension,
      init,
      async estimate(feeds, key, state = init()) {
        const means = Object.fromEntries(shapes.map(({ name }) => [name, state[`mean/${name}`]]));
        passes.draw(key, 0, k);
        const { loss, statistics } = await passes.derivatives(feeds, 0, k, derivatives);
        drawTangents(set, key);
        derivativesAlong(set, means, along);
        for (let i = 0; i < k; i++) derivatives[i] -= along[i];
        aggregate(passes.method, derivatives, await passes.gram(feeds), coefficients);
        const gradients = await passes.combine(feeds, coefficients);
        for (const [name, values] of Object.entries(gradients))
          for (let place = 0; place < values.length; place++) {
            values[place] = means[name][place] + values[place];
            means[name][place] = decay * means[name][place] + (1 - decay) * values[place];
          }
        state.steps[0]++;
        state.loss[0] += loss / 7;
        return { loss, derivatives, gradients, statistics };
      },
      release: () => passes.release(),
    };
  }
}

const count = 640;
const inputs = Float32Array.from(
  { length: 2 * count },
  (_, index) => (((index + 1) * 0.7548776662) % 1) * 2 - 1,
);
const labels = Int32Array.from({ length: count }, (_, index) =>
  Math.hypot(inputs[2 * index], inputs[2 * index + 1]) < 0.8 ? 1 : 0,
);
const [folder, text] = process.argv.slice(2);
const { killAt, killAtRecovery, ...options } = JSON.parse(text);
const events = train({
  model: mlp({ input: [2], hidden: [12], outputs: 2, activation: "tanh", seed: 1 }),
  gradient: remembering(0.9),
  perturb: "weights",
  tangents: 3,
  runtime: nodeRuntime({ threads: 1 }),
  store: runFolder(folder),
  resume: true,
  checkpointSeconds: 1e-9,
  ...{ examples: { inputs, labels }, ...options },
});
for await (const event of events) {
  const isDue =
    (event.kind === "step" && event.step === killAt) || (event.kind === "recovery" && killAtRecovery);
  if (isDue) process.kill(process.pid, "SIGKILL");
  if (event.kind === "recovery") console.log(JSON.stringify(event));
}
