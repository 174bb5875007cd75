import {
  dependents,
  describeNode,
  type Graph,
  getValue,
  prune,
  totalBytes,
  type Value,
} from "../onnx/graph.ts";
import { elementCount, isFloat, type Tensor, tensorOf } from "../onnx/tensor.ts";
import { keyFromSeed } from "../random/threefry.ts";
import { fillUniform } from "../random/uniform.ts";
import { compileGraph } from "../runtime/evaluate.ts";
import { maskTensors } from "./dropout.ts";
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
 * @returns one layout for each name, in their order
 * @throws when an example's loss changes with another example (names the first node whose values mix examples, and the
 * remedies), or when a value belongs to no single examples
 */
export async function exampleLayouts(
  objective: Differentiable,
  names: readonly string[],
): Promise<ExampleLayout[]> {
  const { graph, batch } = objective;
  if (batch < 2) return names.map((name) => ({ outer: 1, inner: elementCount(getValue(graph, name).shape) }));
  const changes = await observeChanges(objective, [...names, "losses"]);
  const layoutOf = (name: string) => findLayout(getValue(graph, name).shape, batch, changes[name] ?? []);
  if (!layoutOf("losses")) throw new Error(await describeCoupling(objective));
  return names.map((name) => {
    const layout = layoutOf(name);
    if (layout) return layout;
    throw new Error(
      `The site '${name}' has the shape [${getValue(graph, name).shape.join(", ")}], in which the ${batch} examples of a ` +
        "batch have no places of their own, although their losses are independent. Perturb weights instead " +
        "(perturb: weights), or keep the batch on an axis of its own.",
    );
  });
}

/** The first node whose values mix examples, in words. Runs with every value as an output. */
async function describeCoupling(objective: Differentiable): Promise<string> {
  const { graph, batch } = objective;
  const onData = dependents(
    graph,
    dataInputs(objective).map((input) => input.name),
  );
  const watched = graph.nodes
    .flatMap((node) => node.outputs)
    .filter((name) => onData.has(name) && isFloat(getValue(graph, name).dtype));
  const changes = await observeChanges(objective, watched);
  const mixing =
    watched.find((name) => !findLayout(getValue(graph, name).shape, batch, changes[name] ?? [])) ?? "losses";
  const node = graph.nodes.find(({ outputs }) => outputs.includes(mixing));
  return (
    `${node ? describeNode(node) : `'${mixing}'`} mixes the examples of a batch: changing one example changed another's ` +
    "loss, so no example has derivatives of its own. Perturb weights instead (perturb: weights), or replace what mixes " +
    "them (GroupNormalization or LayerNormalization for BatchNormalization in training mode, or frozen statistics)."
  );
}

/** What one example's replacement changes. */
interface Change {
  readonly example: number;
  /** Flat places of the numbers that changed by more than rounding. */
  readonly places: readonly number[];
}

/** Bytes of the values that are looked at in one run: all at once could be more than training itself needs. */
const observedBytes = 8 * 2 ** 20;

async function observeChanges(
  objective: Differentiable,
  names: readonly string[],
): Promise<Record<string, Change[]>> {
  const changes: Record<string, Change[]> = {};
  let group: Value[] = [];
  let bytes = 0;
  for (const name of new Set(names)) {
    const value = getValue(objective.graph, name);
    const size = totalBytes([value]);
    if (bytes + size > observedBytes && group.length > 0) {
      Object.assign(changes, await observeGroup(objective, group));
      [group, bytes] = [[], 0];
    }
    group.push(value);
    bytes += size;
  }
  return Object.assign(changes, await observeGroup(objective, group));
}

async function observeGroup(
  objective: Differentiable,
  outputs: readonly Value[],
): Promise<Record<string, Change[]>> {
  const { graph, batch, runtime } = objective;
  const { masks = [] } = objective;
  const parameters = { ...objective.parameters, ...objective.statistics, ...maskTensors(masks) };
  const session = await compileGraph(runtime, prune(graph, outputs), { arena: false });
  try {
    const batchOf = (changed?: number) =>
      Object.fromEntries(
        dataInputs(objective).map((input) => [input.name, madeUp(input, batch, changed)] as const),
      );
    const before = await session.run({ ...parameters, ...batchOf() });
    const changes: Record<string, Change[]> = Object.fromEntries(outputs.map(({ name }) => [name, []]));
    for (const example of [0, batch - 1]) {
      const after = await session.run({ ...parameters, ...batchOf(example) });
      for (const { name } of outputs)
        changes[name]?.push({ example, places: changedPlaces(before[name], after[name]) });
    }
    return changes;
  } finally {
    await session.release();
  }
}

function dataInputs({ graph, parameters, statistics = {}, masks = [] }: Differentiable): Graph["inputs"] {
  const known = new Set([...Object.keys({ ...parameters, ...statistics }), ...masks.map(({ name }) => name)]);
  return graph.inputs.filter(({ name }) => !known.has(name));
}

/** The first way to read a shape as [outer, batch, inner] in which no change leaves its example. */
function findLayout(
  shape: readonly number[],
  batch: number,
  changes: readonly Change[],
): ExampleLayout | undefined {
  const count = elementCount(shape);
  const candidates = shape.flatMap((size, axis) => {
    if (size % batch !== 0 || size === 0) return [];
    const after = elementCount(shape.slice(axis + 1));
    // The axis is batch × positions, or positions × batch.
    return [(size / batch) * after, after].map((inner) => ({ outer: count / (batch * inner), inner }));
  });
  return candidates.find(({ inner }) =>
    changes.every(({ example, places }) =>
      places.every((place) => Math.floor(place / inner) % batch === example),
    ),
  );
}

/** Numbers for an input: uniform floats; for integers, classes and indices 0 and 1, which every model has. */
function madeUp({ dtype, shape }: Value, batch: number, changed?: number): Tensor {
  const uniform = new Float32Array(elementCount(shape));
  fillUniform(keyFromSeed(1), 0, uniform);
  const size = uniform.length / batch;
  if (changed !== undefined)
    for (let place = changed * size; place < (changed + 1) * size; place++)
      uniform[place] = 1 - (uniform[place] as number);
  return tensorOf(
    dtype,
    isFloat(dtype) ? uniform : Array.from(uniform, (value) => (value < 0.5 ? 0 : 1)),
    shape,
  );
}

function changedPlaces(before: Tensor | undefined, after: Tensor | undefined): number[] {
  const places: number[] = [];
  if (!before || !after) return places;
  for (let place = 0; place < before.data.length; place++) {
    const [a, b] = [Number(before.data[place]), Number(after.data[place])];
    if (Math.abs(a - b) > 1e-5 * Math.max(1, Math.abs(a))) places.push(place);
  }
  return places;
}
