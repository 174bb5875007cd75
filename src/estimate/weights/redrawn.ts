import { derivativeGraph } from "../../ad/derivatives.ts";
import { reserved, tangentName } from "../../ad/names.ts";
import { ModelError, SettingError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import type { Differentiable } from "../../objective/objective.ts";
import { countParameters } from "../../objective/parameters.ts";
import type { Graph } from "../../onnx/graph.ts";
import { elementCount, float32, zeros } from "../../onnx/tensor.ts";
import { GraphBuilder } from "../../ops/builder.ts";
import { createDrawer, type Drawer } from "../../random/drawer.ts";
import { fold, type Key } from "../../random/threefry.ts";
import { compileGraph } from "../../runtime/evaluate.ts";
import { addGram } from "../../tangents/gram.ts";
import { emitCombine, emitGram } from "../../tangents/graphs.ts";
import { innerProduct } from "../../tangents/pieces.ts";
import type { Sampler } from "../../tangents/sampler.ts";
import { statisticsBuffers } from "../estimator.ts";
import { methodIn, type Passes, requireMemory, sliceSize } from "../passes.ts";
import { compileSegments } from "../segmented.ts";
import { findParameterGuess, type WeightsOptions } from "./guess.ts";
import { withoutModelOutputs } from "./kept.ts";

// One module for all that pages seldom load, as for sites.
export { heldWeights } from "./held.ts";

/**
 * Tangents of all parameters that are not kept but drawn again wherever they are needed, with a derivative graph that
 * runs layer by layer. Memory beyond parameters and gradients is one chunk of one layer's tangents and dual values, and
 * k slices of the stream of all parameters. The estimate is that of `keptWeights` to rounding, for about twice its
 * random numbers.
 *
 * @throws for samplers whose tangents are factored or depend on each other, which have to be kept
 */
export async function redrawnWeights(objective: Differentiable, options: WeightsOptions): Promise<Passes> {
  const { runtime, graph } = objective;
  const k = options.tangents;
  const chunk = Math.min(options.tangentChunk ?? 1, k);
  const method = methodIn(countParameters(objective.parameters), options);
  const { dimension, sampler } = method;
  requireMemory(method, [Math.min(sliceSize, dimension)]);
  requireStream(sampler);
  const guess = findParameterGuess(objective, options.guess, method);
  const parameters = layOut(objective);
  const session = await compileSegments(
    runtime,
    derivativesOnly(objective, chunk),
    graph,
    options.pieceBytes,
  );
  const drawer = createDrawer(runtime);
  const slice = Math.min(sliceSize, dimension);
  const gramSession =
    method.aggregator.usesGram && !method.exactGram
      ? await compileGraph(runtime, gramGraph(k, slice))
      : undefined;
  const combineSession = await compileGraph(runtime, combineGraph(k, slice));

  const rowData = new Float32Array(k * slice);
  const rows = float32(rowData, [k, slice]);
  const combined = zeros("float32", [slice]);
  const flat = new Float32Array(dimension);
  const gradients = Object.fromEntries(
    parameters.map(({ name, start, size }) => [name, flat.subarray(start, start + size)]),
  );
  const { tensors, statistics } = statisticsBuffers(objective);
  const results = {
    [reserved.loss]: zeros("float32", []),
    [reserved.derivatives]: zeros("float32", [chunk]),
    ...tensors,
  };
  const scales = new Float64Array(k);
  let stepKey: Key = [0, 0];

  /** Numbers [start, start + count) of all k tangents; columns beyond the last parameter are zero. */
  const drawSlice = (start: number) => {
    const count = Math.min(slice, dimension - start);
    if (count < slice) rowData.fill(0);
    drawer.draw(
      Array.from({ length: k }, (_, i) => ({
        fill: sampler.fill,
        key: fold(stepKey, i),
        start,
        out: rowData.subarray(i * slice, i * slice + count),
        scale: scales[i],
      })),
    );
    return count;
  };
  /** Tangents from `first` on of one parameter, as many as `into` holds. */
  const drawParameter = (input: string, first: number, into: Float32Array) => {
    const parameter = parameters.find(({ name }) => tangentName(name) === input);
    if (!parameter) throw new ModelError(`The graph's input '${input}' was not fed.`);
    const { start, size } = parameter;
    drawer.draw(
      Array.from({ length: chunk }, (_, i) => ({
        fill: sampler.fill,
        key: fold(stepKey, first + i),
        start,
        out: into.subarray(i * size, (i + 1) * size),
        scale: scales[first + i],
      })),
    );
  };

  return {
    name: "weights",
    method,
    examples: 1,
    guess: guess?.passes(gradients, (guesses, into) => {
      into.fill(0);
      for (let start = 0; start < dimension; start += slice) {
        const count = drawSlice(start);
        for (const { name, ...parameter } of parameters) {
          const [from, to] = overlap(parameter, start, count);
          if (from >= to) continue;
          const values = (guesses[name] as Float32Array).subarray(
            from - parameter.start,
            to - parameter.start,
          );
          for (let i = 0; i < k; i++) {
            const row = rowData.subarray(i * slice + from - start, i * slice + to - start);
            into[i] = (into[i] as number) + innerProduct([row], [values]);
          }
        }
      }
    }),
    draw(key, first, count) {
      stepKey = key;
      for (let i = first; i < first + count; i++)
        scales[i] = lengthScale(drawer, sampler, fold(key, i), dimension, rowData);
    },
    async derivatives(feeds, first, count, derivatives) {
      for (let start = 0; start < count; start += chunk) {
        await session.run(feeds, results, (input, into) => drawParameter(input, first + start, into));
        for (let i = 0; i < chunk && start + i < count; i++)
          derivatives[start + i] = results.derivatives.data[i] as number;
      }
      return { loss: Number(results.loss.data[0]), statistics };
    },
    async gram() {
      const gram = new Float64Array(k * k);
      for (let start = 0; start < dimension; start += slice) {
        drawSlice(start);
        if (gramSession) addTo(gram, (await gramSession.run({ rows })).gram?.data as Float32Array);
        else addGram(gram, rowData, k, slice);
      }
      return () => ({ gram, dimension });
    },
    async combine(_feeds, { data }, state) {
      const coefficients = { dtype: "float32", shape: [k], data } as const;
      for (let start = 0; start < dimension; start += slice) {
        const count = drawSlice(start);
        await combineSession.run({ rows, coefficients }, { combined });
        flat.set((combined.data as Float32Array).subarray(0, count), start);
      }
      if (state) guess?.add(state, gradients);
      return gradients;
    },
    async release() {
      await Promise.all([session, gramSession, combineSession, drawer].map((each) => each?.release()));
    },
  };
}

/** Where each parameter's numbers stand in the stream of all. */
interface Slice {
  readonly name: string;
  readonly start: number;
  readonly size: number;
}

/** Which numbers of the stream of all parameters belong to one of them and to a slice: from the first to before the second. */
function overlap({ start, size }: Omit<Slice, "name">, first: number, count: number): [number, number] {
  return [Math.max(start, first), Math.min(start + size, first + count)];
}

function layOut({ parameters }: Differentiable): Slice[] {
  let start = 0;
  return Object.entries(parameters).map(([name, { shape }]) => {
    const size = elementCount(shape);
    start += size;
    return { name, start: start - size, size };
  });
}

/** @throws for samplers whose tangents have to be kept. */
export function requireStream(sampler: Sampler): void {
  if (sampler.rank === undefined && !sampler.arrange) return;
  throw new SettingError(
    words`${option("lowMemory", true)} needs tangents that can be drawn again piece by piece, and those of the sampler
      '${sampler.name}' have to be kept as a whole; use gaussian, rademacher or sphere.`,
    { option: "sampler" },
  );
}

/** The factor that gives a tangent its sampler's length; 1 where it keeps the length it is drawn with. */
export function lengthScale(
  drawer: Drawer,
  sampler: Sampler,
  key: Key,
  dimension: number,
  scratch: Float32Array,
): number {
  if (!sampler.radius) return 1;
  let square = 0;
  for (let start = 0; start < dimension; start += scratch.length) {
    const piece = scratch.subarray(0, Math.min(scratch.length, dimension - start));
    drawer.draw([{ fill: sampler.fill, key, start, out: piece }]);
    for (const value of piece) square += value * value;
  }
  return square === 0 ? 1 : sampler.radius(dimension) / Math.sqrt(square);
}

/** Outputs `loss`, `derivatives` [chunk] and the running statistics. */
function derivativesOnly(objective: Differentiable, chunk: number): Graph {
  const { graph } = objective;
  const forms = new Map(graph.parameters.map((name) => [name, "stacked"] as const));
  const derived = derivativeGraph(graph, forms, chunk, reserved.loss);
  return withoutModelOutputs(derived, objective);
}

/** `rows` [k, slice] → `gram` [k, k]. */
function gramGraph(k: number, slice: number): Graph {
  const g = new GraphBuilder("gram");
  return g.build({ gram: emitGram(g, g.input("rows", "float32", [k, slice])) });
}

/** `rows` [k, slice], `coefficients` [k] → `combined` [slice]. */
function combineGraph(k: number, slice: number): Graph {
  const g = new GraphBuilder("combine");
  const rows = g.input("rows", "float32", [k, slice]);
  return g.build({ combined: emitCombine(g, rows, g.input(reserved.coefficients, "float32", [k]), [slice]) });
}

function addTo(total: Float64Array, part: Float32Array): void {
  for (let index = 0; index < total.length; index++)
    total[index] = (total[index] as number) + (part[index] as number);
}
