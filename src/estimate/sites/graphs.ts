/** Where the sites of an objective are, and the graphs of their tangents: dual passes, Gram matrices, local transposes. */
import { cutResiduals, keepUsedInputs, localGradientGraph } from "../../ad/gradient.ts";
import { layerSites } from "../../ad/layers.ts";
import { reserved, tangentName } from "../../ad/names.ts";
import { pushforward } from "../../ad/pushforward.ts";
import type { Site } from "../../ad/sites.ts";
import { exampleLayouts } from "../../objective/coupling.ts";
import type { Differentiable } from "../../objective/objective.ts";
import { consumers, type Graph, getValue, producers, prune, type Value } from "../../onnx/graph.ts";
import { float32 } from "../../onnx/tensor.ts";
import { GraphBuilder } from "../../ops/builder.ts";
import { reshape, transpose, withInfinities, zerosLike } from "../../ops/rules.ts";
import { emitExampleCombine, emitExampleGram } from "../../tangents/graphs.ts";
import { type FoundSite, type FoundSites, fromExamples, type SiteOptions } from "./found-sites.ts";
import type { FoundGuess } from "./guess.ts";
import { sitesOfGuess } from "./signal.ts";

/** How many tangents there are. */
export interface TangentCounts {
  /** k, or the tangents of one chunk. */
  readonly count: number;
  /** The batch size, or 1 where the examples share their tangents. */
  readonly examples: number;
}

/**
 * Finds the sites of an objective and where the examples lie in them.
 *
 * @throws when a value mixes examples, a parameter has no site, a site's values do not belong to single examples, or the guess
 * finds no residual stream
 */
export async function findSites(
  objective: Differentiable,
  { blocks, lowMemory = false, guess }: SiteOptions,
): Promise<FoundSites> {
  const { graph, masks = [] } = objective;
  const nonNegative = new Set(masks.map(({ name }) => name));
  const unfit = new Set<string>();
  for (;;) {
    const { sites, last } = blocks
      ? { sites: await sitesOfBlocks(objective, blocks), last: undefined }
      : layerSites(graph, graph.parameters, reserved.losses, nonNegative, unfit);
    const layouts = await exampleLayouts(
      objective,
      sites.map((site) => site.value),
      lowMemory ? undefined : Number.POSITIVE_INFINITY,
    );
    const found = sites.flatMap((site, index) => {
      const layout = layouts[index];
      return layout ? [{ ...site, layout, size: layout.outer * layout.inner }] : [];
    });
    if (found.length === sites.length) {
      const dimension = found.reduce((total, { size }) => total + size, 0);
      const all = { sites: found, last, dimension };
      return guess?.sites ? sitesOfGuess(objective, all, guess) : all;
    }
    // A value of one example alone: the layer goes on, to where the examples meet.
    const without = sites.filter((_, index) => !layouts[index]).map(({ value }) => value);
    const [stuck] = blocks ? without : without.filter((value) => unfit.has(value));
    if (stuck !== undefined)
      throw (await import("../../objective/coupling-errors.ts")).noSite(objective, stuck);
    for (const value of without) unfit.add(value);
  }
}

/** Loaded where it is asked for: a page with the default sites does without. */
export async function sitesOfBlocks({ graph, output }: Differentiable, blocks: true | RegExp) {
  const { blockSites } = await import("../../ad/blocks.ts");
  const pattern = blocks === true ? undefined : blocks;
  const sites = blockSites(graph, graph.parameters, reserved.losses, { pattern, end: output });
  return sites.map((site) => ({ ...site, rectified: false }));
}

/** Outputs `loss`, `derivatives` [k, batch] and the primal values that the local transposes need. */
export function dualGraph(
  objective: Differentiable,
  { sites }: FoundSites,
  { count, examples }: TangentCounts,
  residuals: readonly string[] = [],
  guess?: FoundGuess,
): Graph {
  const { graph, batch } = objective;
  const g = new GraphBuilder(`${graph.name}/dual`, graph);
  const seeds = new Map<string, Value>();
  for (const { value, size, layout, rectified } of sites) {
    const { shape } = getValue(graph, value);
    const { outer, inner } = layout;
    const input = g.input(tangentName(value), "float32", [count, examples, size]);
    // Shared tangents broadcast over the batch where it is an axis of its own.
    const broadcasts = outer === 1 && shape[0] === batch;
    const given = examples === batch || broadcasts ? input : g.expand(input, [count, batch, size]);
    const perExample = transpose(
      g,
      reshape(g, given, [count, given.shape[1] as number, outer, inner]),
      [0, 2, 1, 3],
    );
    const leading = given.shape[1] === batch ? shape : [1, ...shape.slice(1)];
    const seed = reshape(g, perExample, [count, ...leading]);
    const before = rectified ? valueBeforeRelu(graph, value) : undefined;
    if (before) seeds.set(before, seed);
    else seeds.set(value, rectified ? g.mul(seed, activeNumbers(g, getValue(graph, value))) : seed);
  }
  const tangents = pushforward(g, graph, seeds);
  const stacked = (name: string, each: readonly number[]) => {
    const tangent = tangents.get(name);
    return tangent && !("left" in tangent)
      ? tangent
      : zerosLike(g, { dtype: "float32", shape: [count, ...each] });
  };
  const signal = guess && getValue(graph, guess.signal);
  const own = g.build({
    [reserved.loss]: getValue(graph, reserved.loss),
    [reserved.derivatives]: withInfinities(g, stacked(reserved.losses, [batch])),
    ...(signal && guess.emitDirectional(g, stacked(signal.name, signal.shape))),
  });
  const kept = residuals.map((name) => getValue(graph, name));
  return prune({ ...g.snapshot(), outputs: [...own.outputs, ...kept] });
}

/**
 * Outputs `gradient/<parameter>` from `coefficients` [k, batch], the tangents, and the primal values that the transposes
 * read: as inputs, or computed again. With a guess, from that too.
 *
 * @param gain what the known gradient at the losses is multiplied by
 */
export function localGraph(
  objective: Pick<Differentiable, "graph" | "batch">,
  found: FoundSites,
  { count, examples }: TangentCounts,
  gain = 1,
  residuals: "inputs" | "computed" = "inputs",
  guess?: FoundGuess,
): Graph {
  const { graph, batch } = objective;
  let coefficients: Value | undefined;
  const emitEstimate = (g: GraphBuilder, site: FoundSite) => {
    coefficients ??= g.input(reserved.coefficients, "float32", [count, batch]);
    const input = g.input(tangentName(site.value), "float32", [count, examples, site.size]);
    const correction = emitExampleCombine(g, input, coefficients);
    const guessed = guess?.inputAt(g, site);
    return guessed ? g.add(guessed, correction) : correction;
  };
  const emitCotangent = cotangents(objective, found, emitEstimate, gain);
  return localGradientGraph(graph, blocksOf(found), emitCotangent, residuals);
}

/** Outputs `loss` and `gradient/<parameter>` from a guess that nothing corrects: no tangents, and one pass. */
export function guessGraph(
  objective: Pick<Differentiable, "graph" | "batch">,
  found: FoundSites,
  guess: FoundGuess,
): Graph {
  let gradient: Value | undefined;
  const emitGuess = (g: GraphBuilder, site: FoundSite) => {
    gradient ??= guess.emitGradient(g);
    return guess.emitAt(g, gradient, site);
  };
  const emitCotangent = cotangents(objective, found, emitGuess);
  return localGradientGraph(objective.graph, blocksOf(found), emitCotangent, "computed", [reserved.loss]);
}

const blocksOf = ({ sites, last }: FoundSites) => (last ? [...sites, last] : sites);

/**
 * The gradient of the mean loss at each site, of the site's shape.
 *
 * @param emitEstimate emits the gradient of each example's own loss, [batch, n]; undefined where it is 0
 * @param gain what the known gradient at the losses is multiplied by
 */
function cotangents(
  { batch }: Pick<Differentiable, "batch">,
  { sites }: FoundSites,
  emitEstimate: (g: GraphBuilder, site: FoundSite) => Value | undefined,
  gain = 1,
) {
  return (g: GraphBuilder, site: Site, value: Value) => {
    const found = sites.find((one) => one.value === site.value);
    if (!found) return g.expand(g.constant(float32([gain / batch])), value.shape);
    const estimate = emitEstimate(g, found);
    if (!estimate) return undefined;
    // The mean over the batch enters here, once.
    return fromExamples(g, g.mul(estimate, 1 / batch), found.layout, value.shape);
  };
}

/** What is to be known of a step's tangents beyond the derivatives. */
export interface Observed {
  /** G of each example. */
  readonly gram: boolean;
  /** What the guess foresaw, and what the step teaches it. */
  readonly guess?: FoundGuess;
  /** Whether primal values are inputs, or computed in the same graph. Default inputs. */
  readonly residuals?: "inputs" | "computed";
}

/**
 * Output `gram` [examples, k, k], summed over the sites; [batch, k, k] where rectified sites give each example's tangents
 * zeros of their own, and then also output `active` [batch], the numbers of each example that are perturbed. With a guess also
 * m at each site, V m [k, batch], and what the guess remembers after the step.
 */
export function observationGraph(
  objective: Pick<Differentiable, "graph" | "batch">,
  { sites }: Pick<FoundSites, "sites">,
  { count, examples }: TangentCounts,
  { gram, guess, residuals = "inputs" }: Observed,
): Graph {
  const { graph, batch } = objective;
  const isCut = residuals === "inputs";
  const g = isCut && !guess ? new GraphBuilder("gram") : new GraphBuilder(`${graph.name}/gram`, graph);
  const counts: Value[] = [];
  const grams: Value[] = [];
  const observed = sites.map((site) => {
    const { value, size, layout, rectified } = site;
    const tangents = g.input(tangentName(value), "float32", [count, examples, size]);
    if (!rectified) {
      if (gram) grams.push(emitExampleGram(g, tangents));
      return { site, tangents };
    }
    const { dtype, shape } = getValue(graph, value);
    const known = isCut && !guess ? g.input(value, dtype, shape) : getValue(graph, value);
    const { outer, inner } = layout;
    const byExample = transpose(g, reshape(g, activeNumbers(g, known), [outer, batch, inner]), [1, 0, 2]);
    const mask = reshape(g, byExample, [1, batch, size]);
    counts.push(reshape(g, g.reduceSum(mask, [2], { keepdims: 0 }), [batch]));
    const masked = g.mul(tangents, mask);
    if (gram) grams.push(emitExampleGram(g, masked));
    return { site, tangents: masked };
  });
  const add = (sum: Value, term: Value) => g.add(sum, term);
  const outputs: Record<string, Value> = {};
  if (gram) outputs[reserved.gram] = grams.reduce(add);
  const others = sites.reduce((sum, { size, rectified }) => sum + (rectified ? 0 : size), 0);
  const active = counts.length > 0 ? g.add(counts.reduce(add), others) : undefined;
  if (gram && active) outputs.active = active;
  if (guess)
    Object.assign(
      outputs,
      guess.emitStep(g, observed, { count, active: active ?? g.scalar("float32", others) }),
    );
  const built = keepUsedInputs(g.build(outputs), new Set());
  return isCut && guess ? cutResiduals(built, graph, graph.parameters) : built;
}

/**
 * What a ReLU reads, if nothing else does: tangents that are added there come out with zeros in the right places, by the
 * same product that masks the tangents from the layers before.
 */
function valueBeforeRelu(graph: Graph, value: string): string | undefined {
  const node = producers(graph).get(value);
  const [input = ""] = node?.inputs ?? [];
  const isReadElsewhere =
    consumers(graph).get(input)?.length !== 1 || graph.outputs.some(({ name }) => name === input);
  return node?.op === "Relu" && !isReadElsewhere ? input : undefined;
}

/** 1 where a rectified value is positive, 0 where it is zero. */
function activeNumbers(g: GraphBuilder, value: Value): Value {
  return g.sign(value);
}
