import { anonymize, interleave, segmentGraph } from "../ad/segments.ts";
import { ModelError } from "../errors/errors.ts";
import { type Graph, initializersToInputs, type Value } from "../onnx/graph.ts";
import { type Tensor, zeros } from "../onnx/tensor.ts";
import { encodeForRuntime } from "../runtime/evaluate.ts";
import type { Runtime, Session, Tensors } from "../runtime/runtime.ts";

/** One piece of a graph: the session that computes it, and its own names for that session's inputs and outputs. */
interface Piece {
  readonly session: Session;
  readonly inputs: readonly (readonly [own: string, value: Value])[];
  readonly outputs: readonly (readonly [own: string, value: Value])[];
  /** Values that nothing reads after this piece. */
  readonly finished: readonly string[];
}

/** A graph that runs piece by piece, with only one piece's values alive at once. */
export interface SegmentedSession {
  /**
   * @param feeds the graph's inputs by name
   * @param results tensors to write the graph's outputs into
   * @param draw writes a float32 input that the feeds lack, just before each piece that reads it
   */
  run(feeds: Tensors, results: Tensors, draw?: (name: string, into: Float32Array) => void): Promise<void>;
  release(): Promise<void>;
}

/** Stored tensors from this many elements on are fed: each session would keep its own copy. */
const fedElements = 1024;

/** Bytes of the values that one piece computes, unless a single node computes more. */
const pieceBytes = 32 * 2 ** 20;

/**
 * Compiles a derived graph to run in the order of the primal one, piece by piece. Equal pieces, such as the layers of a
 * deep model, share one session.
 */
export async function compileSegments(
  runtime: Runtime,
  derived: Graph,
  primal: Graph,
  maxBytes = pieceBytes,
): Promise<SegmentedSession> {
  const large = [...derived.initializers].filter(
    ([name, { data }]) =>
      data.length >= fedElements && !derived.outputs.some((output) => output.name === name),
  );
  const fed = new Map(large);
  const segments = segmentGraph(interleave(initializersToInputs(derived, [...fed.keys()]), primal), maxBytes);
  const sessions = new Map<string, Session>();
  const pieces: Piece[] = [];
  const lastReader = new Map<string, number>();
  segments.forEach((segment, index) => {
    for (const { name } of segment.inputs) lastReader.set(name, index);
  });
  for (const [index, segment] of segments.entries()) {
    const { graph, inputs, outputs } = anonymize(segment);
    const bytes = encodeForRuntime(graph);
    const key = bytesKey(bytes);
    const session =
      sessions.get(key) ?? (await runtime.createSession(bytes, { arena: false, writesInto: true }));
    sessions.set(key, session);
    pieces.push({
      session,
      inputs: inputs.map((own, position) => [own, graph.inputs[position] as Value]),
      outputs: outputs.map((own, position) => [own, graph.outputs[position] as Value]),
      finished: [...lastReader].filter(([, last]) => last === index).map(([name]) => name),
    });
  }
  const pool = new BufferPool();
  return {
    async run(feeds, results, draw) {
      const alive = new Map<string, Tensor>();
      for (const { session, inputs, outputs, finished } of pieces) {
        const drawn: Tensor[] = [];
        const given = inputs.map(([own, { name, dtype, shape }]) => {
          const known =
            alive.get(own) ?? (Object.hasOwn(feeds, own) ? feeds[own] : undefined) ?? fed.get(own);
          if (known) return [name, known] as const;
          if (!draw) throw new ModelError(`The graph's input '${own}' was not fed.`);
          const buffer = pool.take(dtype, shape);
          draw(own, buffer.data as Float32Array);
          drawn.push(buffer);
          return [name, buffer] as const;
        });
        const wanted = outputs.map(([own, { name, dtype, shape }]) => {
          const tensor = (Object.hasOwn(results, own) ? results[own] : undefined) ?? pool.take(dtype, shape);
          alive.set(own, tensor);
          return [name, tensor] as const;
        });
        await session.run(Object.fromEntries(given), Object.fromEntries(wanted));
        for (const buffer of drawn) pool.give(buffer);
        for (const name of finished) {
          const tensor = alive.get(name);
          if (tensor && !Object.hasOwn(results, name)) pool.give(tensor);
          alive.delete(name);
        }
      }
    },
    async release() {
      await Promise.all([...sessions.values()].map((session) => session.release()));
    },
  };
}

/** Buffers that pieces pass values in; a finished value's buffer serves the next value of its type and shape. */
class BufferPool {
  readonly #free = new Map<string, Tensor[]>();

  take(dtype: Value["dtype"], shape: readonly number[]): Tensor {
    return this.#free.get(`${dtype} ${shape.join()}`)?.pop() ?? zeros(dtype, shape);
  }

  give(tensor: Tensor): void {
    const key = `${tensor.dtype} ${tensor.shape.join()}`;
    const free = this.#free.get(key);
    if (free) free.push(tensor);
    else this.#free.set(key, [tensor]);
  }
}

/** Equal bytes, equal key. */
function bytesKey(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}
