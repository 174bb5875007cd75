import type { Differentiable } from "../../objective/objective.ts";
import { type Graph, getValue } from "../../onnx/graph.ts";
import { zeros } from "../../onnx/tensor.ts";
import { createDrawer } from "../../random/drawer.ts";
import { compileGraph } from "../../runtime/evaluate.ts";
import { exampleGram } from "../../tangents/gram.ts";
import { createSiteTangents, drawSiteTangents } from "../../tangents/site-tangents.ts";
import { dualPasses } from "../dual-passes.ts";
import { gradientRoom } from "../estimator.ts";
import { type EstimatorOptions, methodIn, type Passes } from "../passes.ts";
import { simulateSites } from "../simulated.ts";
import { dualGraph, gramGraph, localGraph, placeSites, type SiteOptions } from "./graphs.ts";
import { activeNumbers } from "./rectified.ts";

export interface ActivationsOptions extends EstimatorOptions, SiteOptions {
  /** One set of tangents for all examples of a batch instead of one each. Default false. */
  readonly shareTangents?: boolean;
}

/**
 * Tangents of the values at sites, kept in memory: one dual pass for d_i,b = ∂ℓ_b·v_i,b, ĝ at each site by example, and from
 * there the parameters' gradients by the local transpose of their block. No gradient crosses a site. At rectified sites an
 * example's tangents are zero where its values are, and so is the gradient that counts.
 *
 * @throws when a value mixes examples, a parameter has no site, or a site's values do not belong to single examples
 */
export async function keptSites(objective: Differentiable, options: ActivationsOptions): Promise<Passes> {
  const { runtime, graph, batch } = objective;
  const k = options.tangents;
  const placed = await placeSites(objective, options);
  const { sites, dimension } = placed;
  const method = methodIn(dimension, options);
  const { usesGram } = method.aggregator;
  const examples = options.shareTangents ? 1 : batch;
  const rectified = sites.filter((site) => site.rectified).map(({ value }) => value);
  const tangents = createSiteTangents(sites, k, examples, method.sampler);
  const drawer = createDrawer(runtime);

  const local = localGraph(objective, placed, tangents, method.gain);
  const residuals = local.inputs.map((input) => input.name).filter((name) => !isOwnInput(graph, name));
  const read = residuals.filter((name) => graph.values.has(name));
  const needed = [...new Set([...read, ...(usesGram || options.simulated ? rectified : [])])];
  const inputs = tangents.sites.map(({ value, tensor }) => [`tangent/${value}`, tensor] as const);
  const derived = (count: number) => dualGraph(objective, placed, { count, examples }, needed);
  const dual = options.simulated
    ? await simulateSites(objective, placed, tangents, needed)
    : await dualPasses(runtime, inputs, k, options.tangentChunk, derived, [batch]);
  const gramSession =
    usesGram && !method.exactGram
      ? await compileGraph(runtime, gramGraph(objective, placed, tangents))
      : undefined;
  // A float64 Gram matrix is for few numbers, and is computed here: it needs the rectified sites' values.
  const isMasked = usesGram && method.exactGram && rectified.length > 0;
  const active = activeNumbers(isMasked ? sites : [], batch);
  // Zeros of their own tell the examples' tangents apart.
  const gramCount = rectified.length > 0 ? batch : examples;
  const localSession = await compileGraph(runtime, local);

  const tangentFeeds = Object.fromEntries(inputs);
  const residualTensors = Object.fromEntries(
    needed.map((name) => [name, zeros(getValue(graph, name).dtype, getValue(graph, name).shape)]),
  );
  const products = { gram: zeros("float32", [gramSession ? gramCount : 0, k, k]) };
  const counts = zeros("float32", [gramSession && rectified.length > 0 ? batch : 0]);
  const gramResults = counts.data.length > 0 ? { ...products, active: counts } : products;
  const grams = products.gram.data as Float32Array;
  const { tensors: gradientTensors, gradients } = gradientRoom(objective);
  const matrix = new Float64Array(k * k);
  const ofExample = (example: number) => {
    if (gramSession) {
      matrix.set(grams.subarray(example * k * k, (example + 1) * k * k));
      return { gram: matrix, dimension: Number(counts.data[example] ?? dimension) };
    }
    const mask = (site: number, rows: Float32Array) => active.mask(site, example, rows);
    exampleGram(tangents, example, matrix, isMasked ? mask : undefined);
    return { gram: matrix, dimension: isMasked ? active.count(example) : dimension };
  };

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
      if (isMasked) active.read(residualTensors);
      await gramSession?.run({ ...tangentFeeds, ...residualTensors }, gramResults);
      if (gramCount > 1) return ofExample;
      const shared = ofExample(0);
      return () => shared;
    },
    async combine(feeds, coefficients) {
      await localSession.run(
        { ...feeds, ...tangentFeeds, ...residualTensors, coefficients },
        gradientTensors,
      );
      return gradients;
    },
    async release() {
      await Promise.all([dual, gramSession, localSession, drawer].map((one) => one?.release()));
    },
  };
}

function isOwnInput(graph: Graph, name: string): boolean {
  return graph.inputs.some((input) => input.name === name);
}
