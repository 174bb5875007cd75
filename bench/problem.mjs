// Training steps as the benches run them, and where the time of one goes.

import {
  createDescent,
  createDrawer,
  createTangentSet,
  defaultSampler,
  drawTangents,
  fillUniform,
} from "../dist/autodiff.js";
import { compileObjective, crossEntropy, fold, keyFromSeed, samplers, sgd } from "../dist/index.js";
import { encodeGraph } from "../dist/onnx.js";

const dataKey = keyFromSeed(7);

/** Numbers uniform in ±1/2. */
export function randomTensor(shape, stream = 0) {
  const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
  fillUniform(fold(dataKey, stream), 0, data);
  return { dtype: "float32", shape, data: data.map((value) => value - 0.5) };
}

/** A made-up batch of one class after the other. */
export function randomBatch(batch, shape, classes = 10) {
  const labels = BigInt64Array.from({ length: batch }, (_, index) => BigInt(index % classes));
  return {
    input: randomTensor([batch, ...shape]),
    labels: { dtype: "int64", shape: [batch], data: labels },
  };
}

/**
 * A whole training step, as `train` takes it: tangents, derivatives, aggregation, whether all is finite, update.
 *
 * @param model graph from a builder with one input `input`
 * @param input what it is fed, where that is no image
 * @returns step, which runs one; estimator; objective; release
 */
export async function trainingStep({ model, shape, batch, runtime, settings, input }) {
  const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch });
  const descent = await createDescent(objective, settings, sgd());
  const { estimator } = descent;
  const feeds = { ...objective.parameters, ...randomBatch(batch, shape), ...(input && { input }) };
  const arrays = Object.fromEntries(
    Object.entries(objective.parameters).map(([name, { data }]) => [name, data]),
  );
  const key = keyFromSeed(1);
  const state = estimator.init?.();
  let steps = 0;
  return {
    objective,
    estimator,
    async step() {
      const { gradients } = await estimator.estimate(feeds, fold(key, steps++), state);
      const start = performance.now();
      if (!descent.isFinite(gradients)) throw new Error("The bench diverged.");
      // A rate so small that a thousand steps stay where they started.
      await descent.step(arrays, gradients, {}, 1e-7);
      return { update: performance.now() - start };
    },
    release: () => descent.release(),
  };
}

/** A session of the model and its loss alone. */
export async function primalPass({ graph, parameters }, { shape, batch, runtime, input }) {
  const session = await runtime.createSession(encodeGraph(graph));
  const feeds = { ...parameters, ...randomBatch(batch, shape), ...(input && { input }) };
  const loss = { dtype: "float32", shape: [], data: new Float32Array(1) };
  return { run: () => session.run(feeds, { loss }), release: () => session.release() };
}

/** What a graph is for, by its outputs. */
export function purposeOf({ outputTypes }) {
  const names = Object.keys(outputTypes);
  if (names.includes("derivatives")) return "derivatives";
  // What moves a matrix by the product that is its gradient.
  if (names.some((name) => name.startsWith("moved"))) return "update";
  if (names.some((name) => name.startsWith("gradient/")))
    return names.includes("loss") ? "derivatives" : "combination";
  return names.some((name) => name.startsWith("gram")) ? "gram" : "other";
}

/**
 * The same runtime, whose sessions add up how long they ran.
 *
 * @returns runtime; spent, milliseconds by what a graph is for: derivatives, gram, combination (of weights, or the local
 *   transposes), update, other; reset
 */
export function timingRuntime(runtime) {
  const spent = { derivatives: 0, gram: 0, combination: 0, update: 0, other: 0 };
  const timed = {
    ...runtime,
    async createSession(...given) {
      const session = await runtime.createSession(...given);
      const purpose = purposeOf(session);
      const run = async (...inputs) => {
        const start = performance.now();
        const results = await session.run(...inputs);
        spent[purpose] += performance.now() - start;
        return results;
      };
      return new Proxy(session, {
        get: (target, name) => {
          const member = Reflect.get(target, name, target);
          if (name === "run") return run;
          return typeof member === "function" ? member.bind(target) : member;
        },
      });
    },
  };
  const reset = () => {
    for (const purpose of Object.keys(spent)) spent[purpose] = 0;
  };
  return { runtime: timed, spent, reset };
}

/**
 * Draws the tangents of a step alone, of the same sizes and streams.
 *
 * @returns a function that draws them, how many numbers that are, and one that ends the threads that draw
 */
export function drawing({ objective, estimator, batch, settings }) {
  if (settings.gradient === "exact") return undefined;
  const { tangents: k = 16, sampler } = settings;
  const chosen = sampler ? samplers[sampler]() : defaultSampler(k, estimator.dimension);
  const key = keyFromSeed(2);
  const drawer = createDrawer(objective.runtime);
  if (settings.perturb === "weights") {
    const shapes = Object.entries(objective.parameters).map(([name, { shape }]) => ({ name, shape }));
    const set = createTangentSet(shapes, k, chosen);
    const numbers = set.parts.reduce((total, { tensor }) => total + tensor.data.length, 0);
    return { numbers, draw: (round) => drawTangents(set, fold(key, round), drawer), release: drawer.release };
  }
  const size = estimator.dimension * batch;
  const room = Array.from({ length: k }, () => new Float32Array(size));
  return {
    numbers: size * k,
    draw(round) {
      const stepKey = fold(key, round);
      drawer.draw(
        room.map((out, tangent) => ({ fill: chosen.fill, key: fold(stepKey, tangent), start: 0, out })),
      );
    },
    release: drawer.release,
  };
}
