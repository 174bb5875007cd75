/** Tangents at sites that are kept in memory. */
import { tangentName } from "../../ad/names.ts";
import type { Differentiable } from "../../objective/objective.ts";
import { type Graph, getValue } from "../../onnx/graph.ts";
import { zeros } from "../../onnx/tensor.ts";
import { createDrawer } from "../../random/drawer.ts";
import { compileGraph } from "../../runtime/evaluate.ts";
import type { Tensors } from "../../runtime/runtime.ts";
import { exampleGram } from "../../tangents/gram.ts";
import { createSiteTangents, drawSiteTangents, type SiteTangents } from "../../tangents/site-tangents.ts";
import { dualPasses } from "../dual-passes.ts";
import { gradientBuffers } from "../estimator.ts";
import {
  type EstimatorOptions,
  type ExampleTangents,
  type Method,
  methodIn,
  type Passes,
} from "../passes.ts";
import { simulateSites } from "../simulated.ts";
import { dualGraph, type FoundSites, findSites, gramGraph, localGraph, type SiteOptions } from "./graphs.ts";
import { activeNumbers } from "./rectified.ts";

/** What an estimator with sites is asked for. */
export interface ActivationsOptions extends EstimatorOptions, SiteOptions {
  /** One set of tangents for all examples of a batch instead of one each. Default false. */
  readonly shareTangents?: boolean;
}

/**
 * Tangents of the values at sites, kept in memory: one dual pass for d_i,b = ∂ℓ_b·v_i,b, ĝ at each site by example, and from
 * there the parameters' gradients by the local transpose of their block. No gradient crosses a site. At rectified sites an
 * example's tangents are zero where its values are, and so is the gradient that counts.
 *
 * @param known the sites, where they were found already
 * @throws when a value mixes examples, a parameter has no site, or a site's values do not belong to single examples
 */
export async function keptSites(
  objective: Differentiable,
  options: ActivationsOptions,
  known?: FoundSites,
): Promise<Passes> {
  const { runtime, graph, batch } = objective;
  const k = options.tangents;
  const found = known ?? (await findSites(objective, options));
  const { sites, dimension } = found;
  const method = methodIn(dimension, options);
  const { usesGram } = method.aggregator;
  const examples = options.shareTangents ? 1 : batch;
  const rectified = sites.filter((site) => site.rectified).map(({ value }) => value);
  const tangents = createSiteTangents(sites, k, examples, method.sampler);
  const drawer = createDrawer(runtime);

  const local = localGraph(objective, found, tangents, method.gain);
  const residuals = local.inputs.map((input) => input.name).filter((name) => !isOwnInput(graph, name));
  const read = residuals.filter((name) => graph.values.has(name));
  const needed = [...new Set([...read, ...(usesGram || options.simulated ? rectified : [])])];
  const inputs = tangents.sites.map(({ value, tensor }) => [tangentName(value), tensor] as const);
  const derived = (count: number) => dualGraph(objective, found, { count, examples }, needed);
  const dual = options.simulated
    ? await simulateSites(objective, found, tangents, needed)
    : await dualPasses(runtime, inputs, k, options.tangentChunk, derived, [batch]);
  const grams = usesGram ? await keptGrams(objective, found, tangents, method) : undefined;
  const localSession = await compileGraph(runtime, local);

  const tangentFeeds = Object.fromEntries(inputs);
  const residualTensors = Object.fromEntries(
    needed.map((name) => [name, zeros(getValue(graph, name).dtype, getValue(graph, name).shape)]),
  );
  const { tensors: gradientTensors, gradients } = gradientBuffers(objective);
  return {
    name: options.blocks ? "blocks" : "activations",
    method,
    examples: batch,
    draw(key, first, count) {
      drawSiteTangents(tangents, key, drawer, first, count);
    },
    async derivatives(feeds, first, count, derivatives) {
      return { loss: await dual.run(feeds, first, count, derivatives, residualTensors), statistics: {} };
    },
    async gram() {
      if (!grams) throw new Error(`The aggregator '${method.aggregator.name}' reads no Gram matrix.`);
      return grams.read({ ...tangentFeeds, ...residualTensors });
    },
    async combine(feeds, coefficients) {
      await localSession.run(
        { ...feeds, ...tangentFeeds, ...residualTensors, coefficients },
        gradientTensors,
      );
      return gradients;
    },
    async release() {
      await Promise.all([dual, grams, localSession, drawer].map((one) => one?.release()));
    },
  };
}

/** The Gram matrices of kept tangents, by example. */
interface KeptGrams {
  /** @param values the tangents, and the values of rectified sites */
  read(values: Tensors): Promise<(example: number) => ExampleTangents>;
  release(): Promise<void>;
}

/** Float32 products by the runtime; or float64 ones, which are for few numbers and are computed here. */
async function keptGrams(
  objective: Differentiable,
  found: FoundSites,
  tangents: SiteTangents,
  { exactGram, tangents: k, dimension }: Method,
): Promise<KeptGrams> {
  const { sites } = found;
  const { batch } = objective;
  const isRectified = sites.some(({ rectified }) => rectified);
  // Zeros of their own tell the examples' tangents apart.
  const count = isRectified ? batch : tangents.examples;
  const each = (ofExample: (example: number) => ExampleTangents) => {
    if (count > 1) return ofExample;
    const shared = ofExample(0);
    return () => shared;
  };
  const matrix = new Float64Array(k * k);
  if (exactGram) {
    const active = activeNumbers(isRectified ? sites : [], batch);
    const ofExample = (example: number) => {
      const mask = (site: number, rows: Float32Array) => active.mask(site, example, rows);
      exampleGram(tangents, example, matrix, isRectified ? mask : undefined);
      return { gram: matrix, dimension: isRectified ? active.count(example) : dimension };
    };
    return {
      async read(values) {
        if (isRectified) active.read(values);
        return each(ofExample);
      },
      release: async () => undefined,
    };
  }
  const session = await compileGraph(objective.runtime, gramGraph(objective, found, tangents));
  const gram = zeros("float32", [count, k, k]);
  const active = zeros("float32", [isRectified ? batch : 0]);
  const results: Tensors = isRectified ? { gram, active } : { gram };
  const ofExample = (example: number) => {
    matrix.set((gram.data as Float32Array).subarray(example * k * k, (example + 1) * k * k));
    return { gram: matrix, dimension: Number(active.data[example] ?? dimension) };
  };
  return {
    async read(values) {
      await session.run(values, results);
      return each(ofExample);
    },
    release: () => session.release(),
  };
}

function isOwnInput(graph: Graph, name: string): boolean {
  return graph.inputs.some((input) => input.name === name);
}
