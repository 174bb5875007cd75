import type { Value } from "../onnx/graph.ts";
import type { Model } from "../onnx/read-model.ts";
import type { Findings } from "../onnx/structure/known.ts";
import { replaceStructure } from "../onnx/structure/structure.ts";
import type { FurtherOps } from "../ops/find-op.ts";
import { furtherOps } from "../ops/further-ops.ts";
import { type InferredTypes, inferTypes } from "../ops/infer.ts";
import { assignmentsOf, type SymbolicType, symbolicTypes } from "../ops/symbolic-types.ts";
import { observeApart, type Types } from "./bounded-probe.ts";
import { errorInFlags } from "./flags/in-flags.ts";

/** The types of a model's values, as far as they can be found, and why some cannot. */
export interface ShownTypes {
  readonly types: ReadonlyMap<string, SymbolicType>;
  readonly warnings: readonly string[];
}

/**
 * Finds the types of all values of a model file that is not trusted: by the shape rules, which run nothing, and what they
 * leave open by a run in a process of its own, which is bounded.
 */
export async function findTypes(model: Model): Promise<ShownTypes> {
  const assignments = assignmentsOf(model);
  const further = await furtherOps(model.nodes, model.opset);
  const found = assignments.map(({ inputs }) => inferred(model, inputs, further));
  let known = found.map(({ types }): Types => types);
  const computed = model.nodes.flatMap((node) => node.outputs.filter((name) => name !== ""));
  // A list of tensors has no type of its own.
  const isList = (name: string) => found.some(({ sequences }) => sequences.has(name));
  const openOf = (types: Types | undefined) => computed.filter((name) => !types?.has(name) && !isList(name));
  if (openOf(known[0]).length === 0) return { types: symbolicTypes(assignments, known), warnings: [] };
  // What asks for more than the limits allow is not run, nor what a rule refuses under these sizes.
  const [reason] = found.flatMap(({ excess, refusals }) => [...excess, ...refusals]);
  const observed = reason ? { failure: errorInFlags(reason) } : await observeApart(model);
  if ("types" in observed)
    known = known.map((types, index) => new Map([...(observed.types[index] ?? []), ...types]));
  const unknown = openOf(known[0]);
  const why = "failure" in observed ? observed.failure : `${model.source} does not tell them when it is run.`;
  const shapes =
    unknown.length === 1 ? `shape of '${unknown[0]}' is` : `shapes of ${unknown.length} values are`;
  return {
    types: symbolicTypes(assignments, known),
    warnings: unknown.length === 0 ? [] : [`the ${shapes} unknown: ${why}`],
  };
}

/** By the shape rules; branches and sequences that shapes and constants decide are followed. */
function inferred(
  model: Model,
  inputs: readonly Value[],
  further: FurtherOps,
  sequences: Findings["sequences"] = new Map(),
): Pick<InferredTypes, "excess" | "refusals"> & {
  readonly types: Types;
  readonly sequences: Findings["sequences"];
} {
  const { values, constants, excess, refusals } = inferTypes(model, inputs, further);
  const shapes = new Map([...values].map(([name, { shape }]) => [name, shape] as const));
  try {
    const replaced = replaceStructure(model, {
      numbers: constants,
      shapes,
      iterations: new Map(),
      sequences,
    });
    if (replaced.changed) return inferred(replaced.model, inputs, further, sequences);
  } catch (error) {
    return { types: values, sequences, excess, refusals: [...refusals, error as Error] };
  }
  return { types: values, sequences, excess, refusals };
}
