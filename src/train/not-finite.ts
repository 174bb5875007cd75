import { reserved } from "../ad/names.ts";
import { pushforward } from "../ad/pushforward.ts";
import type { DivergenceError } from "../errors/errors.ts";
import type { Differentiable } from "../objective/objective.ts";
import {
  describeNode,
  type Graph,
  getValue,
  type Node,
  producers,
  prune,
  type Value,
} from "../onnx/graph.ts";
import { elementCount, isFloat } from "../onnx/tensor.ts";
import { GraphBuilder } from "../ops/builder.ts";
import { isFactored } from "../ops/op.ts";
import { cast, reshape, withInfinities } from "../ops/rules.ts";
import { compileGraph } from "../runtime/evaluate.ts";
import type { Tensors } from "../runtime/runtime.ts";
import { type Diverged, divergenceError, type NotFiniteCause } from "./diverged.ts";
import { areFinite } from "./divergence.ts";

/** The node at which numbers stop being finite, and whether it is its value or its derivative that does. */
export interface NotFinite {
  readonly node: Node;
  readonly of: "value" | "derivative";
  readonly is: "NaN" | "infinite";
}

/** What one run tells of a value. */
interface Findings {
  readonly isBad: (name: string) => boolean;
  readonly holdsNaN: (name: string) => boolean;
}

/**
 * Finds the node that gave the first NaN or infinity on the way to the loss: the graph runs once more, with a sum over
 * each value that tells whether all of it is finite, so that memory does not grow; and if all values are, once
 * more with the derivatives along one direction. Infinities that a mask brings in do not count.
 *
 * @param feeds the batch and the parameters with which it happened
 * @returns undefined where all is finite
 */
export async function firstNotFinite(
  objective: Differentiable,
  feeds: Tensors,
): Promise<NotFinite | undefined> {
  const { graph } = objective;
  const values = new Map(graph.nodes.flatMap(({ outputs }) => outputs.map((name) => [name, name] as const)));
  const primal = await findings(objective, new GraphBuilder("values", graph), values, feeds);
  const culprit = beginning(graph, reserved.loss, primal);
  if (culprit) return { node: culprit.node, of: "value", is: culprit.holdsNaN ? "NaN" : "infinite" };

  const g = new GraphBuilder("derivatives", graph);
  const seeds = new Map(
    Object.entries(objective.parameters).map(([name, { shape }]) => {
      // Any direction does that leaves no parameter at rest: from ¼ to 1¼, by what is behind the point.
      const many = g.mul(getValue(graph, name), 97);
      const direction = g.add(g.sub(many, g.round(many)), 0.75);
      return [name, reshape(g, direction, [1, ...shape])] as const;
    }),
  );
  const tangents = new Map<string, string>();
  for (const [name, tangent] of pushforward(g, graph, seeds))
    if (!isFactored(tangent)) tangents.set(name, withInfinities(g, tangent).name);
  const derived = beginning(graph, reserved.loss, await findings(objective, g, tangents, feeds));
  return derived && { node: derived.node, of: "derivative", is: derived.holdsNaN ? "NaN" : "infinite" };
}

/** @param watched name by which to ask → value of `g` to look at */
async function findings(
  { runtime }: Differentiable,
  g: GraphBuilder,
  watched: ReadonlyMap<string, string>,
  feeds: Tensors,
): Promise<Findings> {
  const checks = new Map<string, readonly [bad: Value, nan: Value]>();
  for (const [name, own] of watched) {
    if (own === "") continue;
    const value = g.value(own);
    if (!isFloat(value.dtype) || elementCount(value.shape) === 0) continue;
    // A number times 0 is 0 when it is finite and NaN otherwise.
    const bad = g.reduceSum(g.mul(value, 0), { keepdims: 0 });
    checks.set(name, [bad, g.reduceSum(cast(g, g.isNaN(value), "float32"), { keepdims: 0 })]);
  }
  const built = prune(g.snapshot(), [...checks.values()].flat());
  const session = await compileGraph(runtime, built, { optimize: false, arena: false });
  try {
    const given = new Set(built.inputs.map(({ name }) => name));
    const results = await session.run(
      Object.fromEntries(Object.entries(feeds).filter(([name]) => given.has(name))),
    );
    const read = (name: string, which: 0 | 1) =>
      Number(results[checks.get(name)?.[which].name ?? ""]?.data[0] ?? 0);
    return { isBad: (name) => Number.isNaN(read(name, 0)), holdsNaN: (name) => read(name, 1) > 0 };
  } finally {
    await session.release();
  }
}

/** Follows what is not finite from an output back to the node where it begins. */
function beginning(graph: Graph, output: string, { isBad, holdsNaN }: Findings) {
  const made = producers(graph);
  const seen = new Set<string>();
  let name = output;
  let found: { node: Node; holdsNaN: boolean } | undefined;
  while (isBad(name) && !seen.has(name)) {
    seen.add(name);
    const node = made.get(name);
    if (!node) break;
    const isFirst = node.inputs.every((input) => !isBad(input));
    const isStored = node.inputs.some((input) => graph.initializers.has(input));
    // A stored −∞ is a mask: what makes NaN of it is the cause.
    if (holdsNaN(name) || isFirst || !isStored || !found) found = { node, holdsNaN: holdsNaN(name) };
    const next = node.inputs.find((input) => holdsNaN(input)) ?? node.inputs.find((input) => isBad(input));
    if (next === undefined) break;
    name = next;
  }
  return found;
}

/** Ops that are infinite or undefined at finite numbers, not by overflow. */
const partlyUndefined: Readonly<Record<string, string>> = {
  Acos: "inside (−1, 1)",
  Acosh: "above 1",
  Asin: "inside (−1, 1)",
  Atanh: "inside (−1, 1)",
  Div: "away from dividing by 0",
  Log: "above 0",
  Mod: "away from dividing by 0",
  Pow: "above 0",
  Reciprocal: "away from 0",
  ReduceLogSum: "above 0",
  Softmax: "away from rows that are masked as a whole",
  Sqrt: "above 0",
};

/**
 * What a run ends with that diverged.
 *
 * @param feeds the batch and the parameters with which it happened
 * @param isFirst whether nothing has been trained yet
 */
export async function explainDivergence(
  objective: Differentiable,
  feeds: Tensors,
  isFirst: boolean,
  diverged: Diverged,
): Promise<DivergenceError> {
  if (Number.isFinite(diverged.loss)) return divergenceError(diverged, undefined);
  return divergenceError(diverged, await explainNotFinite(objective, feeds, isFirst));
}

/**
 * Where the first number that is not finite came from, in words, and a remedy where the cause is not that a run diverges.
 *
 * @param isFirst whether nothing has been trained yet
 */
async function explainNotFinite(
  objective: Differentiable,
  feeds: Tensors,
  isFirst: boolean,
): Promise<NotFiniteCause | undefined> {
  for (const [name, { data }] of Object.entries(objective.parameters))
    if (!areFinite({ [name]: data })) return { where: `the parameter '${name}' is no longer finite` };
  const found = await firstNotFinite(objective, feeds);
  if (!found) return undefined;
  const { node, of, is } = found;
  const subject = of === "value" ? "in the output of" : "in the derivative of";
  const range = partlyUndefined[node.op];
  return {
    where: `the first ${is === "NaN" ? "NaN" : "infinity"} is ${subject} ${describeNode(node)}`,
    remedy: range
      ? `keep its input ${range}, by a small constant that is added or by a Clip, and export the model again`
      : isFirst
        ? "it happens before anything is trained; scale the inputs, or look for the overflow in the model"
        : undefined,
  };
}
