import { derivativeGraph, type TangentForm, tangentInput } from "../ad/derivatives.ts";
import { keepUsedInputs } from "../ad/gradient.ts";
import type { Aggregator } from "../aggregate/aggregator.ts";
import { type Graph, getValue, prune } from "../onnx/graph.ts";
import { type Tensor, zeros } from "../onnx/tensor.ts";
import { GraphBuilder } from "../ops/builder.ts";
import { createDrawer } from "../random/drawer.ts";
import type { Key } from "../random/threefry.ts";
import { compileGraph } from "../runtime/evaluate.ts";
import type { Session, Tensors } from "../runtime/runtime.ts";
import { emitCombine } from "../tangents/combine.ts";
import { emitGram, gram } from "../tangents/gram.ts";
import type { Sampler } from "../tangents/sampler.ts";
import { defaultSampler } from "../tangents/samplers.ts";
import {
  createTangentSet,
  drawTangents,
  type TangentSet,
  tangentFeeds,
  tangentInputName,
} from "../tangents/tangent-set.ts";
import { statisticsOutput } from "./batch-norm.ts";
import {
  chunkSizes,
  type Estimate,
  type Estimator,
  gradientRoom,
  gramPrecision,
  needsExactGram,
  statisticsRoom,
} from "./estimator.ts";
import type { Differentiable } from "./objective.ts";
import { countParameters } from "./parameters.ts";
import { simulateWeights } from "./simulated.ts";

export interface EstimatorOptions {
  /** k */
  readonly tangents: number;
  /** Default: that of `defaultSampler`. */
  readonly sampler?: Sampler;
  readonly aggregator: Aggregator;
  /** Tangents processed at once; default: all. */
  readonly tangentChunk?: number;
  /** Bytes of the values that one piece of a low-memory run computes. Default 32 MiB. */
  readonly pieceBytes?: number;
  /** True: d comes from the exact gradient instead of dual passes. Default false. */
  readonly simulated?: boolean;
}

/**
 * Weight perturbation: tangents of all parameters, d = ∇f·v_i from one dual pass, ĝ = V a(d, G)
 * (Flügel et al., arXiv 2410.17764, sections 3.1 and 3.2).
 */
export async function weightsEstimator(
  objective: Differentiable,
  options: EstimatorOptions,
): Promise<Estimator> {
  const { runtime, graph } = objective;
  const shapes = Object.entries(objective.parameters).map(([name, { shape }]) => ({ name, shape }));
  const sampler = options.sampler ?? defaultSampler(options.tangents, countParameters(objective.parameters));
  const set = createTangentSet(shapes, options.tangents, sampler);
  const forms = formsOf(set);
  const drawer = createDrawer(runtime);
  const simulated = options.simulated ? await simulateWeights(objective, set) : undefined;
  const sizes = simulated ? [] : chunkSizes(options.tangents, options.tangentChunk);
  const chunks = await compileChunks(objective, set, forms, sizes);
  const usesGram = options.aggregator.usesGram;
  const exactGram = needsExactGram(set.count, set.dimension, set.sampler);
  const gramSession =
    usesGram && !exactGram
      ? await compileGraph(runtime, weightsGramGraph(graph, forms, set.count))
      : undefined;
  const combineSession = await compileGraph(runtime, weightsCombineGraph(graph, forms, set.count));

  const grams = gramRoom(forms, set.count);
  const room = statisticsRoom(objective);
  const lossTensor = zeros("float32", []);
  const k = set.count;
  const allTangents = tangentFeeds(set);
  const derivatives = new Float64Array(k);
  const coefficients = new Float64Array(k);
  const coefficientTensor = zeros("float32", [k]);
  const { tensors: gradientTensors, gradients } = gradientRoom(objective);

  return {
    name: "weights",
    dimension: set.dimension,
    async estimate(feeds: Tensors, key: Key): Promise<Estimate> {
      drawTangents(set, key, drawer);
      let loss = (await simulated?.run(feeds, derivatives, room.tensors)) ?? 0;
      for (const [index, chunk] of chunks.entries()) {
        const results = { loss: lossTensor, derivatives: chunk.derivatives };
        // The statistics of a batch are the same for all chunks.
        await chunk.session.run(
          { ...feeds, ...chunk.tangents },
          index === 0 ? { ...results, ...room.tensors } : results,
        );
        loss = Number(lossTensor.data[0]);
        derivatives.set(chunk.derivatives.data as Float32Array, chunk.start);
      }
      const matrix = usesGram
        ? exactGram
          ? gram(set)
          : await sumGram(gramSession, allTangents, grams)
        : undefined;
      options.aggregator.aggregate(derivatives, matrix, coefficients, {
        dimension: set.dimension,
        gramPrecision: gramPrecision(exactGram),
      });
      (coefficientTensor.data as Float32Array).set(coefficients);
      await combineSession.run({ ...allTangents, coefficients: coefficientTensor }, gradientTensors);
      return { loss, derivatives, gradients, statistics: room.statistics };
    },
    async release() {
      const sessions = [...chunks.map((chunk) => chunk.session), gramSession, combineSession];
      await Promise.all([...new Set(sessions), simulated, drawer].map((one) => one?.release()));
    },
  };
}

function formsOf(set: TangentSet): Map<string, TangentForm> {
  const rank = set.sampler.rank ?? 1;
  return new Map(set.parts.map((part) => [part.parameter, part.role === "stacked" ? "stacked" : { rank }]));
}

interface Chunk {
  readonly session: Session;
  readonly start: number;
  readonly tangents: Tensors;
  /** [size] */
  readonly derivatives: Tensor;
}

/** One session per chunk size, and for each chunk views of the tangents. */
async function compileChunks(
  objective: Differentiable,
  set: TangentSet,
  forms: ReadonlyMap<string, TangentForm>,
  sizes: readonly number[],
): Promise<Chunk[]> {
  const sessions = new Map<number, Session>();
  for (const size of new Set(sizes)) {
    const derived = derivativeGraph(objective.graph, forms, size, "loss");
    sessions.set(size, await compileGraph(objective.runtime, withoutModelOutputs(derived, objective)));
  }
  let start = 0;
  return sizes.map((size) => {
    const first = start;
    start += size;
    const tangents = set.parts.map(
      (part) => [tangentInputName(part), rowsOf(part.tensor, first, size)] as const,
    );
    return {
      session: sessions.get(size) as Session,
      start: first,
      tangents: Object.fromEntries(tangents),
      derivatives: zeros("float32", [size]),
    };
  });
}

/** Outputs `loss`, `derivatives` and the running statistics. */
export function withoutModelOutputs(derived: Graph, { statistics = {} }: Differentiable): Graph {
  const names = ["loss", "derivatives", ...Object.keys(statistics).map(statisticsOutput)];
  return prune(
    derived,
    names.map((name) => getValue(derived, name)),
  );
}

/** Rows start … start + count − 1 of a tensor, as a view. */
export function rowsOf(
  tensor: Tensor & { readonly data: Float32Array },
  start: number,
  count: number,
): Tensor {
  const [rows = 1, ...rest] = tensor.shape;
  const size = tensor.data.length / rows;
  return {
    ...tensor,
    shape: [count, ...rest],
    data: tensor.data.subarray(start * size, (start + count) * size),
  };
}

/** Outputs `gram/<parameter>` [k, k]. */
export function weightsGramGraph(graph: Graph, forms: ReadonlyMap<string, TangentForm>, k: number): Graph {
  const g = new GraphBuilder("gram", { ...graph, inputs: [], nodes: [], outputs: [] });
  const outputs = [...forms].map(
    ([name, form]) => [`gram/${name}`, emitGram(g, tangentInput(g, graph, name, form, k))] as const,
  );
  return keepUsedInputs(g.build(Object.fromEntries(outputs)), new Set());
}

/** Room for the outputs of `gramGraph`, and for their sum. */
function gramRoom(forms: ReadonlyMap<string, TangentForm>, k: number): GramRoom {
  const products = [...forms.keys()].map((name) => [`gram/${name}`, zeros("float32", [k, k])] as const);
  return { products: Object.fromEntries(products), total: new Float64Array(k * k) };
}

interface GramRoom {
  readonly products: Tensors;
  readonly total: Float64Array;
}

/** Products in float32, one for each parameter; their sum in float64. */
async function sumGram(
  session: Session | undefined,
  feeds: Tensors,
  { products, total }: GramRoom,
): Promise<Float64Array> {
  await session?.run(feeds, products);
  total.fill(0);
  for (const { data } of Object.values(products))
    for (let place = 0; place < total.length; place++)
      total[place] = (total[place] as number) + Number(data[place]);
  return total;
}

/** Outputs `gradient/<parameter>` from `coefficients` [k] and the tangents. */
export function weightsCombineGraph(graph: Graph, forms: ReadonlyMap<string, TangentForm>, k: number): Graph {
  const g = new GraphBuilder("combine", { ...graph, inputs: [], nodes: [], outputs: [] });
  const coefficients = g.input("coefficients", "float32", [k]);
  const outputs = [...forms].map(([name, form]) => {
    const tangent = tangentInput(g, graph, name, form, k);
    return [`gradient/${name}`, emitCombine(g, tangent, coefficients, getValue(graph, name).shape)] as const;
  });
  return keepUsedInputs(g.build(Object.fromEntries(outputs)), new Set());
}
