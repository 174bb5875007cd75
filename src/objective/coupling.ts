import { reserved } from "../ad/names.ts";
import { dependents, type Graph, getValue, prune, totalBytes, type Value } from "../onnx/graph.ts";
import { elementCount, isFloat, type Tensor, tensorOf, zeros } from "../onnx/tensor.ts";
import { keyFromSeed } from "../random/threefry.ts";
import { fillUniform } from "../random/uniform.ts";
import { compileGraph } from "../runtime/evaluate.ts";
import type { Session } from "../runtime/runtime.ts";
import type { Differentiable } from "./objective.ts";

/**
 * Where the examples of a batch lie in a value: row-major, it is [outer, batch, inner]. [batch, …] is outer = 1; batch ×
 * positions on one axis, or a leading axis of positions, are told apart by their numbers.
 */
export interface ExampleLayout {
  readonly outer: number;
  readonly inner: number;
}

/**
 * Finds where each example lies in some values, and makes sure that examples do not influence each other: a made-up
 * batch is run three times, with another first and another last example, and what changes is looked at.
 *
 * @param names values of the graph that depend on a model input
 * @param bytes of the values that are looked at in one run
 * @returns one layout for each name, in their order; undefined for a value that belongs to no single examples
 * @throws when an example's loss changes with another example (names the first node whose values mix examples, and the
 * remedies), or activations are rounded by one scale for the batch
 */
export async function exampleLayouts(
  objective: Differentiable,
  names: readonly string[],
  bytes = observedBytes,
): Promise<(ExampleLayout | undefined)[]> {
  const { graph, batch } = objective;
  if (batch < 2) return names.map((name) => ({ outer: 1, inner: elementCount(getValue(graph, name).shape) }));
  // One scale for the batch: whether it changes with an example depends on the numbers, so no run of a made-up batch tells.
  const rounding = graph.nodes.find(({ op }) => op === "DynamicQuantizeLinear");
  if (rounding) throw (await import("./coupling-errors.ts")).sharesRounding(graph, rounding);
  const layouts = await observeLayouts(objective, [...names, reserved.losses], bytes);
  if (!layouts.get(reserved.losses)) {
    const onData = dependents(
      graph,
      dataInputs(objective).map((input) => input.name),
    );
    const watched = graph.nodes
      .flatMap((node) => node.outputs)
      .filter((name) => onData.has(name) && isFloat(getValue(graph, name).dtype));
    const { mixesExamples } = await import("./coupling-errors.ts");
    throw mixesExamples(objective, watched, await observeLayouts(objective, watched));
  }
  return names.map((name) => layouts.get(name));
}

/** Bytes of the values that are looked at in one run: all at once could be more than training itself needs. */
const observedBytes = 8 * 2 ** 20;

/** The layout of each value in which examples keep their positions; undefined where there is none. */
async function observeLayouts(
  objective: Differentiable,
  names: readonly string[],
  most = observedBytes,
): Promise<Map<string, ExampleLayout | undefined>> {
  const { graph, runtime } = objective;
  const outputs = [...new Set(names)].map((name) => getValue(graph, name));
  // One session for all groups: to compile takes longer than to run.
  const session = await compileGraph(runtime, prune(graph, outputs), { arena: false });
  try {
    const layouts = new Map<string, ExampleLayout | undefined>();
    for (const group of groupsOf(outputs, most))
      for (const [name, layout] of await observeGroup(objective, session, group)) layouts.set(name, layout);
    return layouts;
  } finally {
    await session.release();
  }
}

/** The values in groups of at most so many bytes, or one value. */
function groupsOf(values: readonly Value[], most: number): Value[][] {
  const groups: Value[][] = [];
  let bytes = 0;
  for (const value of values) {
    const size = totalBytes([value]);
    const group = groups.at(-1);
    if (group && bytes + size <= most) group.push(value);
    else {
      groups.push([value]);
      bytes = 0;
    }
    bytes += size;
  }
  return groups;
}

async function observeGroup(
  objective: Differentiable,
  session: Session,
  outputs: readonly Value[],
): Promise<Map<string, ExampleLayout | undefined>> {
  const { batch, masks = [] } = objective;
  const drawn = masks.length > 0 ? (await import("./dropout.ts")).maskTensors(masks) : {};
  const parameters = { ...objective.parameters, ...objective.statistics, ...drawn };
  const batchOf = (changed?: number) =>
    Object.fromEntries(
      // Labels stay: their weights couple losses on purpose, and have no derivative.
      dataInputs(objective).map((input) => {
        const isLabel = input.name === reserved.labels || input.name === reserved.target;
        return [input.name, madeUp(input, batch, isLabel ? undefined : changed)] as const;
      }),
    );
  // Into buffers of ours: what a run allocates itself stays until garbage is collected.
  const buffers = () =>
    Object.fromEntries(outputs.map(({ name, dtype, shape }) => [name, zeros(dtype, shape)] as const));
  const [before, after] = [buffers(), buffers()];
  await session.run({ ...parameters, ...batchOf() }, before);
  const candidates = new Map(outputs.map(({ name, shape }) => [name, possibleLayouts(shape, batch)]));
  for (const example of [0, batch - 1]) {
    await session.run({ ...parameters, ...batchOf(example) }, after);
    for (const [name, layouts] of candidates)
      candidates.set(
        name,
        layouts.filter((layout) => keepsPositions(before[name], after[name], layout, batch, example)),
      );
  }
  return new Map([...candidates].map(([name, [first]]) => [name, first]));
}

function dataInputs({ graph, parameters, statistics = {}, masks = [] }: Differentiable): Graph["inputs"] {
  const known = new Set([...Object.keys({ ...parameters, ...statistics }), ...masks.map(({ name }) => name)]);
  return graph.inputs.filter(({ name }) => !known.has(name));
}

/** The ways to read a shape as [outer, batch, inner]. */
function possibleLayouts(shape: readonly number[], batch: number): ExampleLayout[] {
  const count = elementCount(shape);
  return shape.flatMap((size, axis) => {
    if (size % batch !== 0 || size === 0) return [];
    const after = elementCount(shape.slice(axis + 1));
    // The axis is batch × positions, or positions × batch.
    return [(size / batch) * after, after].map((inner) => ({ outer: count / (batch * inner), inner }));
  });
}

/** Numbers for an input: uniform floats; for integers, classes and indices 0 and 1, which every model has. */
function madeUp({ dtype, shape }: Value, batch: number, changed?: number): Tensor {
  const uniform = new Float32Array(elementCount(shape));
  fillUniform(keyFromSeed(1), 0, uniform);
  const size = uniform.length / batch;
  if (changed !== undefined)
    for (let index = changed * size; index < (changed + 1) * size; index++)
      uniform[index] = 1 - (uniform[index] as number);
  return tensorOf(
    dtype,
    isFloat(dtype) ? uniform : Array.from(uniform, (value) => (value < 0.5 ? 0 : 1)),
    shape,
  );
}

/** Whether a replaced example changed no number outside its own positions by more than rounding. */
function keepsPositions(
  before: Tensor | undefined,
  after: Tensor | undefined,
  { inner }: ExampleLayout,
  batch: number,
  example: number,
): boolean {
  if (!before || !after) return true;
  const [a, b] = [before.data, after.data];
  // Block by block: each holds one example's numbers next to each other.
  for (let start = 0, position = 0; start < a.length; start += inner, position = (position + 1) % batch) {
    if (position === example) continue;
    for (let index = start; index < start + inner; index++) {
      const value = Number(a[index]);
      if (Math.abs(value - Number(b[index])) > 1e-5 * Math.max(1, Math.abs(value))) return false;
    }
  }
  return true;
}
