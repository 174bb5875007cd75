import { keepUsedInputs } from "../../ad/gradient.ts";
import { reserved, tangentName } from "../../ad/names.ts";
import { ModelError } from "../../errors/errors.ts";
import type { Differentiable } from "../../objective/objective.ts";
import { getValue, prune } from "../../onnx/graph.ts";
import { type Tensor, zeros } from "../../onnx/tensor.ts";
import { createDrawer, type Drawer } from "../../random/drawer.ts";
import { fold, type Key } from "../../random/threefry.ts";
import type { Tensors } from "../../runtime/runtime.ts";
import { addGram, maskedRows } from "../../tangents/gram.ts";
import type { Sampler } from "../../tangents/sampler.ts";
import { gradientBuffers } from "../estimator.ts";
import { type ExampleTangents, type Method, methodIn, type Passes, requireMemory } from "../passes.ts";
import { compileSegments } from "../segmented.ts";
import { requireStream } from "../weights/redrawn.ts";

// One module for all that pages seldom load: each of its own would cut what they share with others into smaller files.
export { heldSites } from "./held.ts";

import type { FoundSite, FoundSites } from "./found-sites.ts";
import { gramCount, gramResults } from "./grams.ts";
import { dualGraph, findSites, localGraph, observationGraph } from "./graphs.ts";
import { type FoundGuess, findGuess } from "./guess.ts";
import type { ActivationsOptions } from "./kept.ts";
import { activeNumbers } from "./rectified.ts";

/**
 * Tangents at sites in two passes that keep neither activations nor tangents: the first, in dual
 * numbers, gives d; the second computes the primal values again, with the local transposes of each layer right behind
 * them. Both run layer by layer and draw a layer's tangents when it is reached. Memory beyond parameters and gradients
 * is one layer's values and its k tangents, whatever the depth; the price is one more primal pass and drawing twice or
 * three times. The estimate is that of `keptSites` to rounding.
 *
 * @param known the sites, where they were found already
 * @throws as `keptSites`, and for samplers whose tangents have to be kept
 */
export async function redrawnSites(
  objective: Differentiable,
  options: ActivationsOptions,
  known?: FoundSites,
): Promise<Passes> {
  const { runtime, graph, batch } = objective;
  const k = options.tangents;
  const found = known ?? (await findSites(objective, { ...options, lowMemory: true }));
  const { sites, dimension } = found;
  const method = methodIn(dimension, options);
  const { usesGram } = method.aggregator;
  requireStream(method.sampler);
  const examples = options.shareTangents ? 1 : batch;
  requireMemory(
    method,
    sites.map(({ size }) => size * examples),
  );
  const chunk = Math.min(options.tangentChunk ?? 1, k);
  // A float64 Gram matrix is for few numbers, and is computed here: it needs the rectified sites' values.
  const rectified = usesGram && method.exactGram ? sites.filter((site) => site.rectified) : [];
  const values = rectified.map(({ value }) => getValue(graph, value));
  const guess = await findGuess(objective, options, found);
  const dual = dualGraph(objective, found, { count: chunk, examples }, [], guess);
  const wanted = [reserved.derivatives, reserved.loss, ...Object.keys(guess?.rows(0, chunk) ?? {})];
  const derived = prune(dual, [...wanted.map((name) => getValue(dual, name)), ...values]);
  const first = await compileSegments(runtime, derived, graph, options.pieceBytes);
  const local = localGraph(
    objective,
    found,
    { count: k, examples },
    guess ? 1 : method.gain,
    "computed",
    guess,
  );
  const second = await compileSegments(runtime, keepUsedInputs(local, new Set()), graph, options.pieceBytes);
  const results: Tensors & { readonly loss: Tensor; readonly derivatives: Tensor } = {
    [reserved.loss]: zeros("float32", []),
    [reserved.derivatives]: zeros("float32", [chunk, batch]),
    ...Object.fromEntries(
      Object.entries(guess?.rows(0, chunk) ?? {}).map(([name, { shape }]) => [name, zeros("float32", shape)]),
    ),
    ...Object.fromEntries(values.map(({ name, dtype, shape }) => [name, zeros(dtype, shape)])),
  };
  const { tensors: gradientTensors, gradients } = gradientBuffers(objective);
  const drawer = createDrawer(runtime);
  const stream = siteStream(sites, method.sampler, { k, examples, dimension }, drawer);

  const observed = await openObservation(objective, found, method, guess, stream, {
    ...options,
    examples,
    values: results,
  });
  return {
    name: options.blocks ? "blocks" : "activations",
    method,
    examples: batch,
    guess: guess?.passes(observed.run),
    draw: (key, _first, _count, before = 0) => stream.begin(key, options.shareTangents ? 0 : before),
    async derivatives(feeds, from, count, derivatives) {
      for (let start = 0; start < count; start += chunk) {
        await first.run(feeds, results, (name, into) => stream.draw(name, from + start, into));
        const size = Math.min(chunk, count - start);
        derivatives.set((results.derivatives.data as Float32Array).subarray(0, size * batch), start * batch);
        const written = guess?.rows(from + start, size) ?? {};
        for (const [name, { data }] of Object.entries(written)) {
          const given = results[name] as Tensor;
          (data as Float32Array).set((given.data as Float32Array).subarray(0, data.length));
        }
      }
      return { loss: Number(results.loss.data[0]), statistics: {} };
    },
    async gram(feeds) {
      // A guess has looked at the tangents already.
      if (!guess) await observed.run(feeds, {});
      return observed.tangentsOf();
    },
    async combine(feeds, coefficients) {
      await second.run({ ...feeds, coefficients, ...guess?.foreseen }, gradientTensors, (name, into) =>
        stream.draw(name, 0, into),
      );
      return gradients;
    },
    async release() {
      await Promise.all([first, second, observed, drawer].map((one) => one?.release()));
    },
  };
}

/**
 * Gram matrices as float32 products by the runtime; or float64 ones, which are for few numbers and are computed here.
 *
 * @param values those of the rectified sites, where float64 matrices are wanted
 */
async function openObservation(
  objective: Differentiable,
  found: FoundSites,
  { aggregator, exactGram, tangents: k }: Method,
  guess: FoundGuess | undefined,
  stream: ReturnType<typeof siteStream>,
  options: { readonly examples: number; readonly values: Tensors; readonly pieceBytes?: number },
) {
  const { runtime, graph, batch } = objective;
  const { examples, pieceBytes } = options;
  const gram = aggregator.usesGram && !exactGram;
  const observe = { gram, guess, residuals: "computed" } as const;
  const derived =
    gram || guess ? observationGraph(objective, found, { count: k, examples }, observe) : undefined;
  const session = derived && (await compileSegments(runtime, derived, graph, pieceBytes));
  const products = gram ? gramResults(found, { k, examples, batch }) : undefined;
  return {
    async run(feeds: Tensors, results: Tensors) {
      const outputs = { ...products?.tensors, ...results };
      await session?.run(feeds, outputs, (name, into) => stream.draw(name, 0, into));
    },
    tangentsOf: () => products?.ofExample ?? exactGrams(found, k, stream, { ...options, batch }),
    release: async () => session?.release(),
  };
}

/** Float64 Gram matrices, site after site as their tangents are drawn. */
function exactGrams(
  found: FoundSites,
  k: number,
  stream: ReturnType<typeof siteStream>,
  {
    examples,
    values,
    batch,
  }: { readonly examples: number; readonly values: Tensors; readonly batch: number },
): (example: number) => ExampleTangents {
  const { sites, dimension } = found;
  const isRectified = sites.some(({ rectified }) => rectified);
  const active = activeNumbers(isRectified ? sites : [], batch);
  if (isRectified) active.read(values);
  const matrices = Array.from({ length: gramCount(found, examples, batch) }, () => new Float64Array(k * k));
  for (const [index, { size }] of sites.entries()) {
    const rows = stream.rows(index);
    for (const [example, matrix] of matrices.entries()) {
      const own = rows.subarray((examples === 1 ? 0 : example) * size);
      const mask = (copy: Float32Array) => active.mask(index, example, copy);
      if (isRectified) addGram(matrix, maskedRows(own, k, size, examples * size, mask), k, size);
      else addGram(matrix, own, k, size, examples * size);
    }
  }
  return (example) => ({
    gram: matrices[matrices.length === 1 ? 0 : example] as Float64Array,
    dimension: isRectified ? active.count(example) : dimension,
  });
}

/** How many tangents there are, of how many examples, in how many dimensions. */
interface StreamSizes {
  readonly k: number;
  readonly examples: number;
  readonly dimension: number;
}

/** Tangents at sites as they are drawn again and again during one step. */
function siteStream(
  sites: readonly FoundSite[],
  sampler: Sampler,
  { k, examples, dimension }: StreamSizes,
  drawer: Drawer,
) {
  const indices = new Map(sites.map((site, index) => [tangentName(site.value), index]));
  const largest = Math.max(...sites.map(({ size }) => size));
  let scratch = new Float32Array(0);
  // Length scales of the tangents, by tangent and example.
  const scales = new Float64Array(k * examples).fill(1);
  let stepKey: Key = [0, 0];
  let examplesBefore = 0;

  /** Tangents start … of one site, as many as `into` holds: [count, examples, size]. */
  const drawSite = (index: number, start: number, into: Float32Array) => {
    const { size } = sites[index] as FoundSite;
    const count = into.length / (examples * size);
    // Where tangents have their own lengths, each example's numbers are drawn with a scale of their own.
    const parts = sampler.radius ? examples : 1;
    const length = (examples / parts) * size;
    drawer.draw(
      Array.from({ length: count * parts }, (_, row) => {
        const [i, part] = [Math.floor(row / parts), row % parts];
        return {
          fill: sampler.fill,
          key: fold(fold(stepKey, start + i), index),
          start: examplesBefore * size + part * length,
          out: into.subarray(row * length, (row + 1) * length),
          // Chunks may draw tangents beyond the last one, which nobody reads.
          scale: sampler.radius ? scales[(start + i) * parts + part] : 1,
        };
      }),
    );
  };
  /** All tangents of one site, [k, examples, size]; written anew by the next call. */
  const rows = (index: number) => {
    if (scratch.length === 0) scratch = new Float32Array(k * examples * largest);
    const own = scratch.subarray(0, k * examples * (sites[index] as FoundSite).size);
    drawSite(index, 0, own);
    return own;
  };
  const measureLengths = (radius: (dimension: number) => number) => {
    const squares = new Float64Array(k * examples);
    scales.fill(1);
    for (const [index, { size }] of sites.entries()) {
      const own = rows(index);
      for (let position = 0; position < own.length; position++) {
        const tangent = Math.floor(position / size);
        squares[tangent] = (squares[tangent] as number) + (own[position] as number) ** 2;
      }
    }
    for (let position = 0; position < scales.length; position++) {
      const square = squares[position] as number;
      scales[position] = square === 0 ? 1 : radius(dimension) / Math.sqrt(square);
    }
  };
  return {
    begin(key: Key, before: number) {
      stepKey = key;
      examplesBefore = before;
      if (sampler.radius) measureLengths(sampler.radius);
    },
    rows,
    /** Draws for a graph's input, from tangent `start` on. */
    draw(name: string, start: number, into: Float32Array) {
      const index = indices.get(name);
      if (index === undefined) throw new ModelError(`The graph's input '${name}' was not fed.`);
      drawSite(index, start, into);
    },
  };
}
