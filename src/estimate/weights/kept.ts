/** Tangents of all parameters that are kept in memory. */
import { derivativeGraph, type TangentForm, tangentInput } from "../../ad/derivatives.ts";
import { keepUsedInputs } from "../../ad/gradient.ts";
import { gradientName, gramName, guessName, reserved, statisticsName } from "../../ad/names.ts";
import type { Differentiable } from "../../objective/objective.ts";
import { countParameters, parameterShapes } from "../../objective/parameters.ts";
import { type Graph, getValue, prune } from "../../onnx/graph.ts";
import { elementCount, zeros } from "../../onnx/tensor.ts";
import { GraphBuilder } from "../../ops/builder.ts";
import { createDrawer } from "../../random/drawer.ts";
import { fold, type Key } from "../../random/threefry.ts";
import { compileGraph } from "../../runtime/evaluate.ts";
import type { Tensors } from "../../runtime/runtime.ts";
import { gram } from "../../tangents/gram.ts";
import { emitAlong, emitCombine, emitGram } from "../../tangents/graphs.ts";
import { areCounted } from "../../tangents/sampler.ts";
import {
  createTangentSet,
  drawTangents,
  type TangentPart,
  type TangentSet,
  tangentFeeds,
  tangentInputName,
  tangentParts,
} from "../../tangents/tangent-set.ts";
import { dualPasses } from "../dual-passes.ts";
import { statisticsBuffers } from "../estimator.ts";
import { gradientOutputs } from "../gradient-outputs.ts";
import { type Method, methodIn, type Passes, requireMemory } from "../passes.ts";
import { simulateWeights } from "../simulated.ts";
import { findParameterGuess, type WeightsOptions } from "./guess.ts";

/**
 * Tangents of all parameters, kept in memory: d = ∇f·v_i from one dual pass, and ĝ = V c is the gradient itself.
 *
 * @throws when an op has no derivative rule, or `tangentChunk` is no whole number from 1
 */
export async function keptWeights(objective: Differentiable, options: WeightsOptions): Promise<Passes> {
  const { runtime, graph } = objective;
  const k = options.tangents;
  const method = methodIn(countParameters(objective.parameters), options);
  const shapes = parameterShapes(objective.parameters);
  const guess = findParameterGuess(objective, options.guess, method);
  requireMemory(
    method,
    tangentParts(shapes, k, method.sampler).map((part) => elementCount(part.shape) / k),
  );
  const set = createTangentSet(shapes, k, method.sampler);
  const forms = formsOf(set);
  const drawer = createDrawer(runtime);
  const dualGraph = (count: number) =>
    withoutModelOutputs(derivativeGraph(graph, forms, count, reserved.loss), objective);
  const inputs = set.parts.map((part) => [tangentInputName(part), part.tensor] as const);
  const dual = options.simulated
    ? await simulateWeights(objective, set)
    : await dualPasses(runtime, inputs, k, options.tangentChunk, dualGraph, []);
  const isGramFast = method.aggregator.usesGram && !method.exactGram;
  const counted = isGramFast ? await countedGram(method) : undefined;
  const gramSession =
    isGramFast && !counted ? await compileGraph(runtime, weightsGramGraph(graph, forms, k)) : undefined;
  // A guess adds to arrays.
  const factored = options.factored && !guess;
  const outputs = await gradientOutputs(objective, weightsCombineGraph(graph, forms, k), { factored });
  const { gradients } = outputs;
  const combineSession = counted ? undefined : await compileGraph(runtime, outputs.graph);
  const alongSession = guess && (await compileGraph(runtime, weightsAlongGraph(graph, forms, k)));

  const tangents = tangentFeeds(set);
  const products = Object.fromEntries(
    [...forms.keys()].map((name) => [gramName(name), zeros("float32", [k, k])] as const),
  );
  const total = new Float64Array(k * k);
  const foreseen = Object.fromEntries(
    [...forms.keys()].map((name) => [foreseenName(name), zeros("float32", [k])] as const),
  );
  const statistics = statisticsBuffers(objective);
  let drawn: Key | undefined;
  /** The key of the bits that are held. */
  let held: Key | undefined;
  const combineBits = (coefficients: ArrayLike<number>) => {
    const key = drawn;
    if (key && key !== held) counted?.draw(drawer, (tangent) => fold(key, tangent), 0);
    held = key;
    for (const { parameter, offset } of set.parts)
      counted?.combine(coefficients, offset, gradients[parameter] as Float32Array);
  };
  return {
    name: "weights",
    method,
    examples: 1,
    products: outputs.products,
    guess: guess?.passes(gradients, async (guesses, into) => {
      const arrays = Object.entries(guesses).map(
        ([name, data]) =>
          [foreseenAt(name), { dtype: "float32", shape: getValue(graph, name).shape, data }] as const,
      );
      await alongSession?.run({ ...tangents, ...Object.fromEntries(arrays) }, foreseen);
      sumInto(into, foreseen);
    }),
    draw(key, first, count) {
      drawn = key;
      drawTangents(set, key, drawer, first, count);
    },
    async derivatives(feeds, first, count, derivatives) {
      const loss = await dual.run(feeds, first, count, derivatives, statistics.tensors);
      return { loss, statistics: statistics.statistics };
    },
    async gram() {
      const key = drawn;
      if (counted && key) {
        counted.count(drawer, (tangent) => fold(key, tangent), 0, []);
        held = key;
        return () => ({ gram: counted.gram(0), dimension: method.dimension });
      }
      if (!gramSession) {
        const exact = { gram: gram(set), dimension: method.dimension };
        return () => exact;
      }
      // Products in float32, one for each parameter; their sum in float64.
      await gramSession.run(tangents, products);
      sumInto(total, products);
      return () => ({ gram: total, dimension: method.dimension });
    },
    async combine(_feeds, { data }, state) {
      if (!combineSession) combineBits(data as Float32Array);
      const coefficients = { dtype: "float32", shape: [k], data } as const;
      await combineSession?.run({ ...tangents, coefficients }, outputs.tensors);
      if (state) guess?.add(state, gradients);
      return gradients;
    },
    async release() {
      await Promise.all(
        [dual, gramSession, combineSession, alongSession, drawer].map((one) => one?.release()),
      );
    },
  };
}

/** The Gram matrix of signs, counted from their bits; undefined where tangents are no signs, or few. */
export async function countedGram({ sampler, dimension, tangents: k }: Method) {
  if (!areCounted(sampler, k * dimension)) return undefined;
  const { openSignGrams } = await import("../../tangents/sign-grams.ts");
  return openSignGrams(k, 1, [{ size: dimension, examples: 1 }]);
}

/** In which form the tangents of each parameter are given. */
export function formsOf({
  parts,
  sampler: { rank = 1 },
}: Pick<TangentSet, "sampler"> & { readonly parts: readonly Pick<TangentPart, "parameter" | "role">[] }) {
  return new Map<string, TangentForm>(
    parts.map(({ parameter, role }) => [parameter, role === "stacked" ? "stacked" : { rank }]),
  );
}

/** Input with m of one parameter. */
const foreseenAt = (parameter: string) => guessName(`foreseen/${parameter}`);

/** Output with V m of one parameter. */
const foreseenName = (parameter: string) => guessName(`products/${parameter}`);

/** Writes the sum of float32 outputs of one size, in float64. */
export function sumInto(total: Float64Array, outputs: Tensors): void {
  total.fill(0);
  for (const { data } of Object.values(outputs))
    for (let index = 0; index < total.length; index++)
      total[index] = (total[index] as number) + Number(data[index]);
}

/** Outputs `loss`, `derivatives` and the running statistics. */
export function withoutModelOutputs(derived: Graph, { statistics = {} }: Differentiable): Graph {
  const names = [reserved.loss, reserved.derivatives, ...Object.keys(statistics).map(statisticsName)];
  return prune(
    derived,
    names.map((name) => getValue(derived, name)),
  );
}

/** Outputs `gram/<parameter>` [k, k]. */
export function weightsGramGraph(graph: Graph, forms: ReadonlyMap<string, TangentForm>, k: number): Graph {
  const g = new GraphBuilder("gram", { ...graph, inputs: [], nodes: [], outputs: [] });
  const outputs = [...forms].map(
    ([name, form]) => [gramName(name), emitGram(g, tangentInput(g, graph, name, form, k))] as const,
  );
  return keepUsedInputs(g.build(Object.fromEntries(outputs)), new Set());
}

/** Outputs `guess/products/<parameter>` [k] from `guess/foreseen/<parameter>` and the tangents. */
export function weightsAlongGraph(graph: Graph, forms: ReadonlyMap<string, TangentForm>, k: number): Graph {
  const g = new GraphBuilder("along", { ...graph, inputs: [], nodes: [], outputs: [] });
  const outputs = [...forms].map(([name, form]) => {
    const array = g.input(foreseenAt(name), "float32", getValue(graph, name).shape);
    return [foreseenName(name), emitAlong(g, tangentInput(g, graph, name, form, k), array)] as const;
  });
  return keepUsedInputs(g.build(Object.fromEntries(outputs)), new Set());
}

/** Outputs `gradient/<parameter>` from `coefficients` [k] and the tangents. */
export function weightsCombineGraph(graph: Graph, forms: ReadonlyMap<string, TangentForm>, k: number): Graph {
  const g = new GraphBuilder("combine", { ...graph, inputs: [], nodes: [], outputs: [] });
  const coefficients = g.input(reserved.coefficients, "float32", [k]);
  const outputs = [...forms].map(([name, form]) => {
    const tangent = tangentInput(g, graph, name, form, k);
    return [gradientName(name), emitCombine(g, tangent, coefficients, getValue(graph, name).shape)] as const;
  });
  return keepUsedInputs(g.build(Object.fromEntries(outputs)), new Set());
}
