import { dependents, describeNode, getValue, prune, type Value } from "../onnx/graph.ts";
import { elementCount, isFloat, type Tensor, tensorOf } from "../onnx/tensor.ts";
import { keyFromSeed } from "../random/threefry.ts";
import { fillUniform } from "../random/uniform.ts";
import { compileGraph } from "../runtime/evaluate.ts";
import type { Differentiable } from "./objective.ts";

/**
 * Makes sure that examples do not influence each other: changes the first example of a made-up batch and looks whether
 * another one's losses change.
 *
 * @throws when they do: names the first node whose values mix examples, and the remedies
 */
export async function refuseCoupling(objective: Differentiable): Promise<void> {
  const { graph, batch, parameters, runtime } = objective;
  if (batch < 2) return;
  const data = graph.inputs.filter((input) => !(input.name in parameters));
  const onData = dependents(
    graph,
    data.map((input) => input.name),
  );
  const watched = graph.nodes
    .flatMap((node) => node.outputs)
    .filter((name) => onData.has(name) && isPerExample(getValue(graph, name), batch));
  const session = await compileGraph(
    runtime,
    prune(
      graph,
      watched.map((name) => getValue(graph, name)),
    ),
  );
  try {
    const first = Object.fromEntries(data.map((input) => [input.name, madeUp(input)]));
    const changed = Object.fromEntries(
      Object.entries(first).map(([name, tensor]) => [name, withOtherFirst(tensor, batch)]),
    );
    const before = await session.run({ ...parameters, ...first });
    const after = await session.run({ ...parameters, ...changed });
    if (!othersDiffer(before.losses, after.losses, batch)) return;
    const mixing = watched.find((name) => othersDiffer(before[name], after[name], batch)) ?? "losses";
    const node = graph.nodes.find(({ outputs }) => outputs.includes(mixing));
    throw new Error(
      `${node ? describeNode(node) : `'${mixing}'`} mixes the examples of a batch: changing one example changed another's ` +
        "loss, so no example has derivatives of its own. Perturb weights instead (perturb: weights), or replace what mixes " +
        "them (GroupNormalization or LayerNormalization for BatchNormalization in training mode, or frozen statistics).",
    );
  } finally {
    await session.release();
  }
}

/** Float values whose first axis is the batch, or batch × positions. */
function isPerExample(value: Value, batch: number): boolean {
  return (
    isFloat(value.dtype) &&
    value.shape.length > 0 &&
    (value.shape[0] as number) % batch === 0 &&
    elementCount(value.shape) > 0
  );
}

/** Numbers for an input: uniform floats; for integers, classes and indices 0 and 1, which every model has. */
function madeUp(input: Value): Tensor {
  const { dtype, shape } = input;
  const uniform = new Float32Array(elementCount(shape));
  fillUniform(keyFromSeed(1), 0, uniform);
  return tensorOf(
    dtype,
    isFloat(dtype) ? uniform : Array.from(uniform, (value) => (value < 0.5 ? 0 : 1)),
    shape,
  );
}

/** The same batch with another first example. */
function withOtherFirst(tensor: Tensor, batch: number): Tensor {
  const data = tensor.data.slice();
  const size = data.length / batch;
  for (let place = 0; place < size; place++)
    data[place] = isFloat(tensor.dtype) ? 1 - Number(data[place]) : flip(data[place]);
  return { ...tensor, data };
}

function flip(value: number | bigint | undefined): never {
  return (typeof value === "bigint" ? 1n - value : 1 - (value ?? 0)) as never;
}

/** True when values of any example but the first differ by more than rounding. */
function othersDiffer(before: Tensor | undefined, after: Tensor | undefined, batch: number): boolean {
  if (!before || !after) return false;
  for (let place = before.data.length / batch; place < before.data.length; place++) {
    const [a, b] = [Number(before.data[place]), Number(after.data[place])];
    if (Math.abs(a - b) > 1e-5 * Math.max(1, Math.abs(a))) return true;
  }
  return false;
}
