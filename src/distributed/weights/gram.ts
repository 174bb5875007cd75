/** The Gram matrix of a step's tangents from its key alone: what combines derivatives needs no dual pass. */
import { gramName } from "../../ad/names.ts";
import { type Method, requireMemory } from "../../estimate/passes.ts";
import { countedGram, formsOf, weightsGramGraph } from "../../estimate/weights/kept.ts";
import type { Differentiable } from "../../objective/objective.ts";
import { parameterShapes } from "../../objective/parameters.ts";
import { elementCount, zeros } from "../../onnx/tensor.ts";
import { createDrawer } from "../../random/drawer.ts";
import { fold, type Key } from "../../random/threefry.ts";
import { compileGraph } from "../../runtime/evaluate.ts";
import { gram } from "../../tangents/gram.ts";
import { createTangentSet, drawTangents, tangentFeeds } from "../../tangents/tangent-set.ts";
import { type Slice, type SlicedTangents, sliceOf } from "./slices.ts";

/**
 * Gram matrices of all k tangents of a step, which are kept for that; of signs, their bits are counted. Those and the ones of low rank,
 * whose products are few, are the same bits in every engine.
 */
export interface GramPass {
  /** G, [k, k] */
  of(key: Key): Promise<Float64Array>;
  release(): Promise<void>;
}

/** Makes room for k tangents, and compiles their products, where they are no signs. @throws SettingError where they need more memory than arrays can have */
export async function openGram(
  { runtime, graph, parameters }: Differentiable,
  method: Method,
): Promise<GramPass> {
  const { tangents: k, sampler } = method;
  const drawer = createDrawer(runtime);
  const bits = method.exactGram ? undefined : await countedGram(method);
  const isExact = method.exactGram || sampler.rank !== undefined;
  if (bits)
    return {
      async of(key) {
        bits.count(drawer, (tangent) => fold(key, tangent), 0, []);
        return bits.gram(0);
      },
      release: () => drawer.release(),
    };
  const shapes = parameterShapes(parameters);
  requireMemory(method, sampler.rank === undefined ? shapes.map(({ shape }) => elementCount(shape)) : []);
  const set = createTangentSet(shapes, k, sampler);
  const forms = formsOf(set);
  const session = isExact ? undefined : await compileGraph(runtime, weightsGramGraph(graph, forms, k));
  const feeds = tangentFeeds(set);
  const products = Object.fromEntries(
    [...forms.keys()].map((name) => [gramName(name), zeros("float32", [k, k])] as const),
  );
  return {
    async of(key) {
      drawTangents(set, key, drawer);
      if (!session) return gram(set);
      await session.run(feeds, products);
      const total = new Float64Array(k * k);
      for (const { data } of Object.values(products))
        for (let index = 0; index < total.length; index++)
          total[index] = (total[index] as number) + (data[index] as number);
      return total;
    },
    async release() {
      await Promise.all([session?.release(), drawer.release()]);
    },
  };
}

/** Gram matrices of tangents of slices: blocks [count, count] on a diagonal, in float64, of signs from their bits. */
export async function openSliceGrams(
  { runtime }: Differentiable,
  method: Method,
  { slices, granules }: SlicedTangents,
): Promise<GramPass> {
  const { tangents: k, sampler } = method;
  const size = granules[0]?.count ?? 0;
  const drawer = createDrawer(runtime);
  const blocks = new Map<Slice, (key: Key, first: number) => Float64Array>();
  for (const slice of slices) {
    const bits = await countedGram({ ...method, tangents: size, dimension: slice.size });
    const set = bits ? undefined : createTangentSet(slice.parts, size, sampler);
    blocks.set(slice, (key, first) => {
      if (set) drawTangents(set, key, drawer, 0, size, first);
      else bits?.count(drawer, (tangent) => fold(key, first + tangent), 0, []);
      return (set ? gram(set) : bits?.gram(0)) as Float64Array;
    });
  }
  return {
    async of(key) {
      const total = new Float64Array(k * k);
      for (const [index, { first, count }] of granules.entries()) {
        const block = blocks.get(sliceOf(slices, key, index))?.(key, first) ?? [];
        for (let row = 0; row < count; row++)
          for (let column = 0; column < count; column++)
            total[(first + row) * k + first + column] = block[row * size + column] as number;
      }
      return total;
    },
    release: () => drawer.release(),
  };
}
