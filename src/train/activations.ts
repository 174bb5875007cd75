import { type Graph, getValue } from "../onnx/graph.ts";
import { type Tensor, zeros } from "../onnx/tensor.ts";
import { createDrawer } from "../random/drawer.ts";
import type { Key } from "../random/threefry.ts";
import { compileGraph } from "../runtime/evaluate.ts";
import type { Session, Tensors } from "../runtime/runtime.ts";
import { exampleGram } from "../tangents/gram.ts";
import { defaultSampler } from "../tangents/samplers.ts";
import { createSiteTangents, drawSiteTangents, type SiteTangents } from "../tangents/site-tangents.ts";
import {
  aggregateExamples,
  chunkSizes,
  type Estimate,
  type Estimator,
  expectedGain,
  gradientRoom,
  gramPrecision,
  needsExactGram,
} from "./estimator.ts";
import type { Differentiable } from "./objective.ts";
import { activeNumbers } from "./rectified.ts";
import { simulateSites } from "./simulated.ts";
import { dualGraph, gramGraph, localGraph, placeSites, type SiteOptions } from "./site-graphs.ts";
import { type EstimatorOptions, rowsOf } from "./weights.ts";

export interface ActivationsOptions extends EstimatorOptions, SiteOptions {
  /** One set of tangents for all examples of a batch instead of one each. Default false. */
  readonly shareTangents?: boolean;
}

/**
 * Activation and block perturbation: tangents at the sites, one dual pass for d_i,b = ∂ℓ_b·v_i,b, coefficients for each example,
 * ĝ at each site, and from there the parameters' gradients by the local transpose of their block. No gradient crosses
 * a site. At rectified sites an example's tangents are zero where its values are, and so is the gradient that counts.
 *
 * @throws when a value mixes examples, a parameter has no site, or a site's values do not belong to single examples
 */
export async function activationsEstimator(
  objective: Differentiable,
  options: ActivationsOptions,
): Promise<Estimator> {
  const { runtime, graph, batch } = objective;
  const k = options.tangents;
  const placed = await placeSites(objective, options);
  const { sites, dimension } = placed;
  const examples = options.shareTangents ? 1 : batch;
  const rectified = sites.filter((site) => site.rectified).map(({ value }) => value);
  const sampler = options.sampler ?? defaultSampler(k, dimension);
  const tangents = createSiteTangents(sites, k, examples, sampler);
  const drawer = createDrawer(runtime);
  const usesGram = options.aggregator.usesGram;
  const exactGram = needsExactGram(k, dimension, sampler);

  const gain = expectedGain(options.aggregator, sampler, dimension, k);
  const local = localGraph(objective, placed, tangents, gain);
  const residuals = local.inputs.map((input) => input.name).filter((name) => !isOwnInput(graph, name));
  const read = residuals.filter((name) => graph.values.has(name));
  const needed = [...new Set([...read, ...(usesGram || options.simulated ? rectified : [])])];
  const simulated = options.simulated ? await simulateSites(objective, placed, tangents, needed) : undefined;
  const dual = (count: number) => dualGraph(objective, placed, { count, examples }, needed);
  const chunkList = simulated ? [] : chunkSizes(k, options.tangentChunk);
  const chunks = await compileChunks(objective, tangents, chunkList, dual);
  const gramSession =
    usesGram && !exactGram ? await compileGraph(runtime, gramGraph(objective, placed, tangents)) : undefined;
  const masks = usesGram && exactGram && rectified.length > 0;
  const active = activeNumbers(masks ? sites : [], batch);
  // Zeros of their own tell the examples' tangents apart.
  const gramCount = rectified.length > 0 ? batch : examples;
  const localSession = await compileGraph(runtime, local);

  const tangentFeeds = Object.fromEntries(
    tangents.sites.map(({ value, tensor }) => [`tangent/${value}`, tensor]),
  );
  const residualTensors = Object.fromEntries(
    needed.map((name) => [name, zeros(getValue(graph, name).dtype, getValue(graph, name).shape)]),
  );
  const derivatives = new Float64Array(k * batch);
  const chunkDerivatives = chunks.map((chunk) => zeros("float32", [chunk.size, batch]));
  const lossTensor = zeros("float32", []);
  const coefficients = zeros("float32", [k, batch]);
  const products = { gram: zeros("float32", [gramSession ? gramCount : 0, k, k]) };
  const counts = zeros("float32", [gramSession && rectified.length > 0 ? batch : 0]);
  const gramResults = counts.data.length > 0 ? { ...products, active: counts } : products;
  const grams = products.gram.data as Float32Array;
  const { tensors: gradientTensors, gradients } = gradientRoom(objective);
  const matrix = new Float64Array(k * k);
  const context = { dimension, gramPrecision: gramPrecision(exactGram) };

  return {
    name: options.blocks ? "blocks" : "activations",
    dimension,
    async estimate(feeds: Tensors, key: Key): Promise<Estimate> {
      drawSiteTangents(tangents, key, drawer);
      let loss = (await simulated?.run(feeds, derivatives, residualTensors)) ?? 0;
      for (const [index, chunk] of chunks.entries()) {
        const outputs = { loss: lossTensor, derivatives: chunkDerivatives[index] as Tensor };
        const wanted = index === 0 ? { ...outputs, ...residualTensors } : outputs;
        await chunk.session.run({ ...feeds, ...chunk.tangents }, wanted);
        derivatives.set(outputs.derivatives.data as Float32Array, chunk.start * batch);
        loss = Number(lossTensor.data[0]);
      }
      if (masks) active.read(residualTensors);
      const gramFeeds = { ...tangentFeeds, ...residualTensors };
      await gramSession?.run(gramFeeds, gramResults);
      const ofExample = (example: number) => {
        if (gramSession) {
          matrix.set(grams.subarray(example * k * k, (example + 1) * k * k));
          return { gram: matrix, dimension: Number(counts.data[example] ?? dimension) };
        }
        const mask = (site: number, rows: Float32Array) => active.mask(site, example, rows);
        exampleGram(tangents, example, matrix, masks ? mask : undefined);
        return { gram: matrix, dimension: masks ? active.count(example) : dimension };
      };
      const shared = gramCount === 1 && options.aggregator.usesGram ? ofExample(0) : undefined;
      aggregateExamples(
        options.aggregator,
        derivatives,
        (example) => shared ?? ofExample(example),
        coefficients,
        context,
      );
      await localSession.run(
        { ...feeds, ...tangentFeeds, ...residualTensors, coefficients },
        gradientTensors,
      );
      return { loss, derivatives, gradients, statistics: {} };
    },
    async release() {
      const sessions = [...chunks.map((chunk) => chunk.session), gramSession, localSession];
      await Promise.all([...new Set(sessions), simulated, drawer].map((one) => one?.release()));
    },
  };
}

function isOwnInput(graph: Graph, name: string): boolean {
  return graph.inputs.some((input) => input.name === name);
}

interface Chunk {
  readonly session: Session;
  readonly start: number;
  readonly size: number;
  readonly tangents: Tensors;
}

async function compileChunks(
  objective: Differentiable,
  tangents: SiteTangents,
  sizes: readonly number[],
  dual: (count: number) => Graph,
): Promise<Chunk[]> {
  const sessions = new Map<number, Session>();
  for (const size of new Set(sizes)) sessions.set(size, await compileGraph(objective.runtime, dual(size)));
  let start = 0;
  return sizes.map((size) => {
    const first = start;
    start += size;
    const feeds = tangents.sites.map(
      ({ value, tensor }) => [`tangent/${value}`, rowsOf(tensor, first, size)] as const,
    );
    return {
      session: sessions.get(size) as Session,
      start: first,
      size,
      tangents: Object.fromEntries(feeds),
    };
  });
}
