/** Opens a model whose file fixes its batch for another one, and holds it to what the file gives. */
import { DeviceError } from "../../errors/errors.ts";
import { Words, words } from "../../errors/words.ts";
import { asComputed, encodeModel } from "../../onnx/encode.ts";
import type { Graph, Value } from "../../onnx/graph.ts";
import type { Model } from "../../onnx/read-model.ts";
import { rebatchModel } from "../../onnx/rebatch.ts";
import { elementCount, isFloat, type Tensor, tensorOf, toNumbers } from "../../onnx/tensor.ts";
import type { FurtherOps } from "../../ops/find-op.ts";
import { keyFromSeed } from "../../random/threefry.ts";
import { uniform64 } from "../../random/uniform.ts";
import type { Runtime, Tensors } from "../../runtime/runtime.ts";
import { withoutDropout } from "../dropout.ts";
import { planBatch } from "./plan-batch.ts";

/** A model as it is trained. */
export interface TrainedModel {
  readonly model: Model;
  /** Its graph, probed. */
  readonly graph: Graph;
  /** What is to be said of its batch. */
  readonly note?: Words;
}

/** What a model is to read. */
export interface WantedBatch {
  readonly batch: number;
  readonly runtime: Runtime;
  readonly output?: string;
  readonly further?: FurtherOps;
}

/** The graph of a model, by running it. */
export type ProbeModel = (model: Model) => Promise<Graph>;

/** So many plans are compared with the file's own results. */
const mostPlans = 4;

function* firstOf<T>(values: Iterable<T>, count: number): Generator<T, void> {
  let taken = 0;
  for (const value of values) {
    yield value;
    if (++taken === count) return;
  }
}

/** How far results of one example may lie apart, of the largest: kernels sum in another order for another batch. */
const tolerance = 1e-4;

/**
 * Opens a model for another batch than its file's, where its nodes allow it.
 *
 * @param given the model, its graph, and the batch that its file fixes
 */
export async function openBatch(
  { model, graph, fixed }: { readonly model: Model; readonly graph: Graph; readonly fixed: number },
  { batch, runtime, output: wanted, further = {} }: WantedBatch,
  probeModel: ProbeModel,
): Promise<TrainedModel> {
  const held = (why: Words) => ({
    model,
    graph,
    note: words`${model.source} reads batches of ${fixed}, and steps do, too, instead of ${batch}: ${why}. Export it
      with an open batch axis (dynamic_shapes or dynamic_axes in PyTorch) to choose.`,
  });
  const inputs = new Set(graph.inputs.filter(({ shape }) => shape[0] === fixed).map(({ name }) => name));
  const output = wanted ?? graph.outputs.find(({ dtype }) => isFloat(dtype))?.name ?? "";
  let reason = words`in batches of ${batch} its examples get other results`;
  try {
    for (const plan of firstOf(planBatch(graph, inputs, { from: fixed, to: batch }, further), mostPlans)) {
      const opened = rebatchModel(model, plan);
      try {
        const trained = await probeModel(opened);
        const same = { model, opened, inputs: trained.inputs, examples: inputs, fixed, output, runtime };
        if (!(await givesTheSame(same))) continue;
        return {
          model: opened,
          graph: trained,
          note: words`${model.source} was exported for batches of ${fixed}; steps read ${batch} examples, and saved
            files keep ${fixed}.`,
        };
      } catch (error) {
        if (error instanceof DeviceError) throw error;
        reason = words`it does not run in batches of ${batch} (${error})`;
      }
    }
  } catch (error) {
    if (error instanceof DeviceError) throw error;
    const { message, mentions } = words`${error}`;
    reason = words`that stops at ${new Words(message.replace(/\.$/, ""), mentions)}`;
  }
  return held(reason);
}

/** Runs both on the same examples, each in its own batches. */
async function givesTheSame(given: {
  readonly model: Model;
  readonly opened: Model;
  readonly inputs: readonly Value[];
  /** Names of the inputs whose first axis is the batch. */
  readonly examples: ReadonlySet<string>;
  readonly fixed: number;
  readonly output: string;
  readonly runtime: Runtime;
}): Promise<boolean> {
  const { inputs, examples, fixed, output, runtime } = given;
  const samples = Object.fromEntries(inputs.map((input, index) => [input.name, sample(input, index)]));
  const run = async (model: Model, batches: readonly Tensors[]) => {
    const session = await runtime.createSession(encodeModel(asComputed(withoutDropout(model)), new Map()));
    try {
      const results: number[][] = [];
      for (const feeds of batches)
        results.push(toNumbers((await session.run(feeds, [output]))[output] as Tensor));
      return results;
    } finally {
      await session.release();
    }
  };
  const batch = inputs.find(({ name }) => examples.has(name))?.shape[0] ?? fixed;
  const parts = Array.from({ length: Math.ceil(batch / fixed) }, (_, part) =>
    Object.fromEntries(
      inputs.map(({ name }) => {
        const tensor = samples[name] as Tensor;
        return [name, examples.has(name) ? rows(tensor, part * fixed, fixed) : tensor];
      }),
    ),
  );
  const [[all = []], expected] = [await run(given.opened, [samples]), (await run(given.model, parts)).flat()];
  const size = all.length / batch;
  if (expected.length !== size * fixed * parts.length) return false;
  const largest = all.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return all.every(
    (value, position) => Math.abs(value - (expected[position] as number)) <= tolerance * largest,
  );
}

/** Some examples of a batch; the last one again where there are no more. */
function rows(tensor: Tensor, start: number, count: number): Tensor {
  const batch = tensor.shape[0] as number;
  const size = elementCount(tensor.shape) / batch;
  const numbers = toNumbers(tensor);
  const chosen = Array.from({ length: count }, (_, row) => Math.min(start + row, batch - 1));
  const values = chosen.flatMap((row) => numbers.slice(row * size, (row + 1) * size));
  return tensorOf(tensor.dtype, values, [count, ...tensor.shape.slice(1)]);
}

/** Numbers that every op accepts, and no two examples alike: small positive floats, zeros and ones for integers. */
function sample({ dtype, shape }: Value, index: number): Tensor {
  const numbers = Array.from(uniform64(keyFromSeed(index), elementCount(shape)), (uniform) =>
    isFloat(dtype) ? 0.1 + 0.8 * uniform : Math.round(uniform),
  );
  return tensorOf(dtype, numbers, shape);
}
