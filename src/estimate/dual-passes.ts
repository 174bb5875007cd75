/** Passes in dual numbers along tangents that are kept, in chunks of any size. */
import type { Graph } from "../onnx/graph.ts";
import { type Tensor, zeros } from "../onnx/tensor.ts";
import { fasterGraph } from "../ops/upgrade.ts";
import { compileGraph } from "../runtime/evaluate.ts";
import type { Runtime, Session, Tensors } from "../runtime/runtime.ts";
import { chunkSizes } from "./passes.ts";

/** Kept tangents by the names of the graph inputs that take them, [k, …] each. */
type KeptTangents = readonly (readonly [input: string, tensor: Tensor & { readonly data: Float32Array }])[];

/** Dual passes over tangents that are kept in memory, in chunks. */
export interface DualPasses {
  /**
   * Runs along tangents first … first + count − 1 and returns the loss.
   *
   * @param derivatives written, [count, examples]
   * @param once tensors for other outputs, which are the same for all chunks
   * @param rowsFor tensors for other outputs of the pass along tangents first … first + count − 1
   */
  run(
    feeds: Tensors,
    first: number,
    count: number,
    derivatives: Float64Array,
    once: Tensors,
    rowsFor?: (first: number, count: number) => Tensors,
  ): Promise<number>;
  release(): Promise<void>;
}

/**
 * Compiles the derivative graph for the sizes of chunks that k tangents need; other ranges compile theirs when they come.
 *
 * @param graphOf the derivative graph of so many tangents, with outputs `loss` and `derivatives` [count, ...each]
 */
export async function dualPasses(
  runtime: Runtime,
  tangents: KeptTangents,
  k: number,
  chunk: number | undefined,
  graphOf: (count: number) => Graph,
  each: readonly number[],
): Promise<DualPasses> {
  const sessions = new Map<number, Session>();
  const loss = zeros("float32", []);
  const sessionOf = async (size: number) => {
    const session = sessions.get(size) ?? (await compileGraph(runtime, fasterGraph(graphOf(size))));
    sessions.set(size, session);
    return session;
  };
  for (const size of chunkSizes(k, chunk)) await sessionOf(size);
  // The same tensors every time: a runtime keeps what it knows of them.
  const views = new Map<string, Tensors>();
  const viewsOf = (start: number, size: number): Tensors => {
    const key = `${start}+${size}`;
    const known =
      views.get(key) ??
      Object.fromEntries(tangents.map(([input, tensor]) => [input, rowsOf(tensor, start, size)]));
    views.set(key, known);
    return known;
  };
  const results = new Map<number, Tensor>();
  return {
    async run(feeds, first, count, derivatives, once, rowsFor = () => ({})) {
      const examples = derivatives.length / count;
      let start = 0;
      for (const size of chunkSizes(count, chunk)) {
        const written = results.get(size) ?? zeros("float32", [size, ...each]);
        results.set(size, written);
        const session = await sessionOf(size);
        const outputs = { loss, derivatives: written, ...rowsFor(first + start, size) };
        await session.run(
          { ...feeds, ...viewsOf(first + start, size) },
          start === 0 ? { ...outputs, ...once } : outputs,
        );
        derivatives.set(written.data as Float32Array, start * examples);
        start += size;
      }
      return Number(loss.data[0]);
    },
    async release() {
      await Promise.all([...sessions.values()].map((session) => session.release()));
    },
  };
}

/** Rows start … start + count − 1 of a tensor, as a view. */
function rowsOf(tensor: Tensor, start: number, count: number): Tensor {
  const [rows = 1, ...rest] = tensor.shape;
  const size = tensor.data.length / rows;
  return {
    ...tensor,
    shape: [count, ...rest],
    data: (tensor.data as Float32Array).subarray(start * size, (start + count) * size),
  };
}
