import { keepUsedInputs } from "../ad/gradient.ts";
import { getValue, prune } from "../onnx/graph.ts";
import { zeros } from "../onnx/tensor.ts";
import { createDrawer } from "../random/drawer.ts";
import { fold, type Key } from "../random/threefry.ts";
import type { Tensors } from "../runtime/runtime.ts";
import { addGram, maskedRows } from "../tangents/gram.ts";
import { defaultSampler } from "../tangents/samplers.ts";
import type { ActivationsOptions } from "./activations.ts";
import {
  aggregateExamples,
  type Estimate,
  type Estimator,
  expectedGain,
  gradientRoom,
  gramPrecision,
  needsExactGram,
} from "./estimator.ts";
import type { Differentiable } from "./objective.ts";
import { activeNumbers } from "./rectified.ts";
import { compileSegments } from "./segmented.ts";
import { dualGraph, gramGraph, localGraph, placeSites } from "./site-graphs.ts";
import { requireStream } from "./weights-low-memory.ts";

/**
 * Activation and block perturbation in two passes that keep neither activations nor tangents: the first, in dual
 * numbers, gives d; the second computes the primal values again, with the local transposes of each layer right behind
 * them. Both run layer by layer and draw a layer's tangents when it is reached. Memory beyond parameters and gradients
 * is one layer's values and its k tangents, whatever the depth; the price is one more primal pass and drawing twice or
 * three times. The estimate is that of `activationsEstimator` to rounding.
 *
 * @throws as `activationsEstimator`, and for samplers whose tangents have to be kept
 */
export async function lowMemoryActivationsEstimator(
  objective: Differentiable,
  options: ActivationsOptions,
): Promise<Estimator> {
  const { runtime, graph, batch } = objective;
  const { tangents: k, aggregator } = options;
  const placed = await placeSites(objective, options);
  const { sites, dimension } = placed;
  const sampler = options.sampler ?? defaultSampler(k, dimension);
  requireStream(sampler);
  const examples = options.shareTangents ? 1 : batch;
  const chunk = Math.min(options.tangentChunk ?? 1, k);
  const isExact = needsExactGram(k, dimension, sampler);
  // A float64 Gram matrix is for few numbers, and is computed here: it needs the rectified sites' values.
  const rectified = aggregator.usesGram && isExact ? sites.filter((site) => site.rectified) : [];
  const values = rectified.map(({ value }) => getValue(graph, value));
  const dual = dualGraph(objective, placed, { count: chunk, examples });
  const derived = prune(dual, [getValue(dual, "derivatives"), getValue(dual, "loss"), ...values]);
  const first = await compileSegments(runtime, derived, graph, options.pieceBytes);
  const gain = expectedGain(aggregator, sampler, dimension, k);
  const local = localGraph(objective, placed, { count: k, examples }, gain, "computed");
  const second = await compileSegments(runtime, keepUsedInputs(local, new Set()), graph, options.pieceBytes);
  const isMasked = sites.some((site) => site.rectified);
  const grams = examples === 1 && !isMasked ? 1 : batch;
  const gram = gramGraph(objective, placed, { count: k, examples }, "computed");
  const gramSession =
    aggregator.usesGram && !isExact
      ? await compileSegments(runtime, gram, graph, options.pieceBytes)
      : undefined;

  const results = {
    loss: zeros("float32", []),
    derivatives: zeros("float32", [chunk, batch]),
    ...Object.fromEntries(values.map(({ name, dtype, shape }) => [name, zeros(dtype, shape)])),
  };
  const active = activeNumbers(rectified.length > 0 ? sites : [], batch);
  const products = {
    gram: zeros("float32", [grams, k, k]),
    ...(isMasked ? { active: zeros("float32", [batch]) } : {}),
  };
  const dimensions = new Float64Array(batch).fill(dimension);
  const derivatives = new Float64Array(k * batch);
  const drawer = createDrawer(runtime);
  const matrices = Array.from({ length: grams }, () => new Float64Array(k * k));
  const coefficients = zeros("float32", [k, batch]);
  const context = { dimension, gramPrecision: gramPrecision(isExact) };
  const { tensors: gradientTensors, gradients } = gradientRoom(objective);
  const places = new Map(sites.map((site, index) => [`tangent/${site.value}`, { ...site, index }]));
  const largest = Math.max(...sites.map(({ size }) => size));
  const scratch =
    aggregator.usesGram || sampler.radius ? new Float32Array(k * examples * largest) : new Float32Array(0);
  // Length scales of the tangents, by tangent and example.
  const scales = new Float64Array(k * examples).fill(1);

  /** Tangents start … of one site, as many as `into` holds: [count, examples, size]. */
  const draw = (
    key: Key,
    { index, size }: { index: number; size: number },
    start: number,
    into: Float32Array,
  ) => {
    const count = into.length / (examples * size);
    // Where tangents have their own lengths, each example's numbers are drawn with a scale of their own.
    const parts = sampler.radius ? examples : 1;
    const length = (examples / parts) * size;
    drawer.draw(
      Array.from({ length: count * parts }, (_, place) => {
        const [i, part] = [Math.floor(place / parts), place % parts];
        return {
          fill: sampler.fill,
          key: fold(fold(key, start + i), index),
          start: part * length,
          out: into.subarray(place * length, (place + 1) * length),
          // Chunks may draw tangents beyond the last one, which nobody reads.
          scale: sampler.radius ? scales[(start + i) * parts + part] : 1,
        };
      }),
    );
  };
  const measureLengths = (key: Key, radius: (dimension: number) => number) => {
    const squares = new Float64Array(k * examples);
    scales.fill(1);
    for (const [index, { size }] of sites.entries()) {
      const rows = scratch.subarray(0, k * examples * size);
      draw(key, { index, size }, 0, rows);
      for (let place = 0; place < rows.length; place++) {
        const tangent = Math.floor(place / size);
        squares[tangent] = (squares[tangent] as number) + (rows[place] as number) ** 2;
      }
    }
    for (let place = 0; place < scales.length; place++) {
      const square = squares[place] as number;
      scales[place] = square === 0 ? 1 : radius(dimension) / Math.sqrt(square);
    }
  };
  const computeGrams = async (feeds: Tensors, key: Key) => {
    if (gramSession) {
      await gramSession.run(feeds, products, (name, into) =>
        draw(key, places.get(name) ?? unknownInput(name), 0, into),
      );
      for (const [example, matrix] of matrices.entries())
        matrix.set((products.gram.data as Float32Array).subarray(example * k * k, (example + 1) * k * k));
      if (products.active) dimensions.set(products.active.data as Float32Array);
      return;
    }
    if (rectified.length > 0) {
      active.read(results);
      for (let example = 0; example < batch; example++) dimensions[example] = active.count(example);
    }
    for (const matrix of matrices) matrix.fill(0);
    for (const [index, { size }] of sites.entries()) {
      const rows = scratch.subarray(0, k * examples * size);
      draw(key, { index, size }, 0, rows);
      for (const [example, matrix] of matrices.entries()) {
        const own = rows.subarray((examples === 1 ? 0 : example) * size);
        const mask = (copy: Float32Array) => active.mask(index, example, copy);
        if (rectified.length > 0) addGram(matrix, maskedRows(own, k, size, examples * size, mask), k, size);
        else addGram(matrix, own, k, size, examples * size);
      }
    }
  };

  return {
    name: options.blocks ? "blocks" : "activations",
    dimension,
    async estimate(feeds: Tensors, key: Key): Promise<Estimate> {
      if (sampler.radius) measureLengths(key, sampler.radius);
      const place = (name: string) => places.get(name) ?? unknownInput(name);
      for (let start = 0; start < k; start += chunk) {
        await first.run(feeds, results, (name, into) => draw(key, place(name), start, into));
        const count = Math.min(chunk, k - start);
        derivatives.set((results.derivatives.data as Float32Array).subarray(0, count * batch), start * batch);
      }
      if (aggregator.usesGram) await computeGrams(feeds, key);
      const tangentsOf = (example: number) => ({
        gram: matrices[grams === 1 ? 0 : example] as Float64Array,
        dimension: dimensions[example] as number,
      });
      aggregateExamples(aggregator, derivatives, tangentsOf, coefficients, context);
      await second.run({ ...feeds, coefficients }, gradientTensors, (name, into) =>
        draw(key, place(name), 0, into),
      );
      return { loss: Number(results.loss.data[0]), derivatives, gradients, statistics: {} };
    },
    async release() {
      await Promise.all([first, second, gramSession, drawer].map((one) => one?.release()));
    },
  };
}

function unknownInput(name: string): never {
  throw new Error(`The graph's input '${name}' was not fed.`);
}
