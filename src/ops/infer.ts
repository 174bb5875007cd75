/** Types and shapes of a whole model by the ops' rules, without running anything. */
import { ModelError } from "../errors/errors.ts";
import { type Words, words } from "../errors/words.ts";
import { howToRaise } from "../limits/limits.ts";
import { describeNode, formatShape, type Node, nodeName, type Value } from "../onnx/graph.ts";
import { type Model, supportedOpsets } from "../onnx/read-model.ts";
import { elementCount, type Tensor } from "../onnx/tensor.ts";
import { refusedSize } from "../onnx/value-size.ts";
import { type FurtherOps, findOp, olderForms } from "./find-op.ts";
import { fold, foldedElements } from "./fold.ts";
import { UnknownConstantError } from "./shapes.ts";
import type { NodeView, ValueType } from "./view.ts";

/** What the shape rules tell of a model's values without running it. */
export interface InferredTypes {
  /** Every value whose type and shape are known, by name. */
  readonly values: ReadonlyMap<string, Value>;
  /** Values whose numbers are known, by name: stored tensors, and what shapes and constants decide. */
  readonly constants: ReadonlyMap<string, Tensor>;
  /** Values larger than the model's limits allow, and loops of more iterations; the messages name the node. */
  readonly excess: readonly Error[];
  /** Rules that refused their node: the model is damaged, or no rule holds for it. */
  readonly refusals: readonly Error[];
}

/**
 * Follows the shape rules through a model, as far as they go without running it. Shape arithmetic is computed on the way.
 *
 * @param inputs the model's inputs, with every dimension a number
 * @param further rules of ops beyond the catalogue
 */
export function inferTypes(model: Model, inputs: readonly Value[], further: FurtherOps = {}): InferredTypes {
  const { limits } = model;
  const values = new Map<string, Value>();
  const constants = new Map<string, Tensor>(model.initializers);
  const excess: Error[] = [];
  const refusals: Error[] = [];
  const add = (value: Value, where: string) => {
    const refused = refusedSize(value, limits);
    if (refused === undefined) values.set(value.name, value);
    else
      excess.push(
        new ModelError(words`${model.source}: ${where}, of shape ${formatShape(value.shape)}, ${refused}`, {
          source: model.source,
        }),
      );
  };
  for (const input of inputs) add(input, `input '${input.name}'`);
  for (const [name, { dtype, shape }] of model.initializers) values.set(name, { name, dtype, shape });
  const constant = (tensor: Tensor) => {
    const name = `constant ${constants.size} of an upgrade`;
    constants.set(name, tensor);
    values.set(name, { name, dtype: tensor.dtype, shape: tensor.shape });
    return name;
  };
  for (const given of model.nodes) {
    const iterations = refusedIterations(given, model, constants);
    if (iterations !== undefined)
      excess.push(new ModelError(iterations, { source: model.source, node: nodeName(given) }));
    const known = attempt(() => typesOf(model, given, values, constants, constant, further), refusals);
    if (!known) continue;
    const { view, types } = known;
    types.forEach(({ dtype, shape }, index) => {
      const name = view.node.outputs[index] ?? "";
      if (name !== "") add({ name, dtype, shape }, `the output of ${describeNode(given)}`);
    });
    const [output = "", type] = [view.node.outputs[0], types[0]];
    const small = [...view.inputs, type].every(
      (value) => !value || elementCount(value.shape) <= foldedElements,
    );
    const isStandard = view.node.domain === "";
    const tensor = isStandard && output !== "" && type && small ? attempt(() => fold(view, type)) : undefined;
    if (tensor) constants.set(output, tensor);
  }
  return { values, constants, excess, refusals };
}

/** The node as its rules see it and what they say; undefined where its inputs or its op are not known. */
function typesOf(
  { opset }: Model,
  given: Node,
  values: ReadonlyMap<string, Value>,
  constants: ReadonlyMap<string, Tensor>,
  constant: (tensor: Tensor) => string,
  further: FurtherOps,
): { readonly view: NodeView; readonly types: readonly ValueType[] } | undefined {
  if (given.inputs.some((name) => name !== "" && !values.has(name))) return undefined;
  const modern = further[olderForms]?.olderForm(given, opset, constant) ?? given;
  const op = findOp(modern, supportedOpsets.newest, further);
  if (!op) return undefined;
  const node = op.upgrade?.(modern, opset, constant) ?? modern;
  const view = {
    node,
    inputs: node.inputs.map((name) => values.get(name)),
    constant: (index: number) => constants.get(node.inputs[index] ?? ""),
  };
  return { view, types: op.shape(view) };
}

/** Undefined where a rule needs a constant that only running the model tells, or refuses its node. */
function attempt<Result>(rule: () => Result, refusals: Error[] = []): Result | undefined {
  try {
    return rule();
  } catch (error) {
    if (!(error instanceof UnknownConstantError)) refusals.push(error as Error);
    return undefined;
  }
}

/** A loop may go on for as long as it likes; one that says so beforehand is refused. */
function refusedIterations(
  node: Node,
  { source, limits }: Model,
  constants: ReadonlyMap<string, Tensor>,
): Words | undefined {
  if (node.op !== "Loop" || node.domain !== "") return undefined;
  const iterations = Number(constants.get(node.inputs[0] ?? "")?.data[0] ?? 0);
  // The largest number stands for none: the condition alone ends the loop.
  if (iterations <= limits.loopTurns || iterations >= 2 ** 63) return undefined;
  return words`${source}: ${describeNode(node)} runs ${iterations.toLocaleString("en")} iterations;
    ${howToRaise("loopTurns", limits)}`;
}
