/** Tangents at sites that are kept in memory. */
import { tangentName } from "../../ad/names.ts";
import type { Differentiable } from "../../objective/objective.ts";
import { type Graph, getValue } from "../../onnx/graph.ts";
import { zeros } from "../../onnx/tensor.ts";
import { fasterGraph } from "../../ops/upgrade.ts";
import { createDrawer, type Drawer } from "../../random/drawer.ts";
import { compileGraph } from "../../runtime/evaluate.ts";
import type { Tensors } from "../../runtime/runtime.ts";
import { areCounted } from "../../tangents/sampler.ts";
import { createSiteTangents, drawSiteTangents, type SiteTangents } from "../../tangents/site-tangents.ts";
import { dualPasses } from "../dual-passes.ts";
import { gradientOutputs } from "../gradient-outputs.ts";
import {
  type EstimatorOptions,
  type ExampleTangents,
  type Method,
  methodIn,
  type Passes,
  requireMemory,
} from "../passes.ts";
import type { Drawn } from "./counted-grams.ts";
import type { FoundSites, SiteOptions } from "./found-sites.ts";
import { exactGrams, gramCount, gramResults } from "./grams.ts";
import { dualGraph, findSites, localGraph, observationGraph } from "./graphs.ts";
import { type FoundGuess, findGuess } from "./guess.ts";

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
  requireMemory(
    method,
    sites.map(({ size }) => size * examples),
  );
  const tangents = createSiteTangents(sites, k, examples, method.sampler);
  const drawer = createDrawer(runtime);

  const guess = await findGuess(objective, options, found);
  // What corrects a guess is brought to ∇f itself.
  const local = localGraph(objective, found, tangents, guess ? 1 : method.gain, "inputs", guess);
  const observed = await openObservation(objective, found, tangents, method, guess, drawer);
  const residuals = [...local.inputs.map(({ name }) => name), ...observed.inputs].filter(
    (name) => !isOwnInput(graph, name),
  );
  const read = residuals.filter((name) => graph.values.has(name));
  const needed = [...new Set([...read, ...(usesGram || options.simulated ? rectified : [])])];
  const inputs = tangents.sites.map(({ value, tensor }) => [tangentName(value), tensor] as const);
  const derived = (count: number) => dualGraph(objective, found, { count, examples }, needed, guess);
  const alongFirst = (count: number) =>
    dualPasses(runtime, inputs, count, options.tangentChunk, derived, [batch]);
  const dual = options.simulated
    ? await (await import("../simulated.ts")).simulateSites(objective, found, tangents, needed, {
        count: guess?.learned ?? 0,
        open: alongFirst,
      })
    : await alongFirst(k);

  const tangentFeeds = Object.fromEntries(inputs);
  const residualTensors = Object.fromEntries(
    needed.map((name) => [name, zeros(getValue(graph, name).dtype, getValue(graph, name).shape)]),
  );
  const values = { ...tangentFeeds, ...residualTensors };
  const outputs = await gradientOutputs(objective, local, { factored: options.factored }, values);
  const localSession = await compileGraph(runtime, fasterGraph(outputs.graph));
  let drawn: Drawn | undefined;
  return {
    name: options.blocks ? "blocks" : "activations",
    method,
    examples: batch,
    products: outputs.products,
    guess: guess?.passes((feeds, results) => observed.run({ ...values, ...feeds }, results)),
    draw(key, first, count, before = 0) {
      drawn = { key, before: options.shareTangents ? 0 : before };
      drawSiteTangents(tangents, key, drawer, first, count, drawn.before);
    },
    async derivatives(feeds, first, count, derivatives) {
      return {
        loss: await dual.run(feeds, first, count, derivatives, residualTensors, guess?.rows),
        statistics: {},
      };
    },
    async gram() {
      // A guess has looked at the tangents already.
      if (!guess) await observed.run(values);
      return observed.tangentsOf(values, drawn);
    },
    async combine(feeds, coefficients) {
      await localSession.run({ ...feeds, ...values, coefficients, ...guess?.foreseen }, outputs.tensors);
      return outputs.gradients;
    },
    async release() {
      await Promise.all([dual, observed, localSession, drawer].map((one) => one?.release()));
    },
  };
}

/** What is known of kept tangents beyond their derivatives. */
interface Observation {
  /** The inputs of its graph. */
  readonly inputs: readonly string[];
  /** @param results tensors for what concerns a guess */
  run(values: Tensors, results?: Tensors): Promise<void>;
  /** Gram matrices, after `run`. */
  tangentsOf(values: Tensors, drawn: Drawn | undefined): (example: number) => ExampleTangents;
  release(): Promise<void>;
}

/**
 * Gram matrices as float32 products by the runtime; those of signs counted; or float64 ones, which are for few numbers and are
 * computed here.
 */
async function openObservation(
  objective: Differentiable,
  found: FoundSites,
  tangents: SiteTangents,
  method: Method,
  guess: FoundGuess | undefined,
  drawer: Drawer,
): Promise<Observation> {
  const { batch, runtime } = objective;
  const { examples } = tangents;
  const { aggregator, exactGram, tangents: k } = method;
  const isFast = aggregator.usesGram && !exactGram;
  const counted = isFast ? await openCounted(found, tangents, batch) : undefined;
  const gram = isFast && !counted;
  const graph = gram || guess ? observationGraph(objective, found, tangents, { gram, guess }) : undefined;
  const session = graph && (await compileGraph(runtime, graph));
  const products = gram ? gramResults(found, { k, examples, batch }) : undefined;
  const exact = aggregator.usesGram && exactGram ? exactGrams(found, tangents, batch) : undefined;
  return {
    inputs: graph?.inputs.map(({ name }) => name) ?? [],
    async run(values, results) {
      await session?.run(values, { ...products?.tensors, ...results });
    },
    tangentsOf(values, drawn) {
      const known = products ?? counted ?? exact;
      if (!known) throw new Error(`The aggregator '${aggregator.name}' reads no Gram matrix.`);
      exact?.read(values);
      if (drawn) counted?.read(drawer, drawn, values);
      const { ofExample } = known;
      if (gramCount(found, examples, batch) > 1) return ofExample;
      const shared = ofExample(0);
      return () => shared;
    },
    release: async () => session?.release(),
  };
}

async function openCounted(found: FoundSites, tangents: SiteTangents, batch: number) {
  const { count, examples, sampler } = tangents;
  return areCounted(sampler, count * examples * found.dimension)
    ? (await import("./counted-grams.ts")).countedGrams(found, tangents, batch)
    : undefined;
}

function isOwnInput(graph: Graph, name: string): boolean {
  return graph.inputs.some((input) => input.name === name);
}
