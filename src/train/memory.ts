import { type Binding, bindInputs } from "../onnx/bind.ts";
import type { Model } from "../onnx/decode.ts";
import { describeNode, formatShape, type Value } from "../onnx/graph.ts";
import { bytesPerElement, elementCount, type Tensor } from "../onnx/tensor.ts";
import { catalogue, type OpName } from "../ops/catalogue.ts";
import type { NodeView, Op, ValueType } from "../ops/op.ts";
import { UnknownConstantError } from "../ops/shapes.ts";
import type { Runtime } from "../runtime/runtime.ts";

/**
 * Follows the shape rules through a model, as far as they go without running it, and refuses a value that would not
 * fit into memory before anything is allocated.
 */
export function checkMemory(model: Model, options: Binding & { readonly runtime: Runtime }): void {
  const limit = options.runtime.memory;
  if (limit === undefined) return;
  const values = new Map<string, Value>();
  const constants = new Map<string, Tensor>(model.initializers);
  for (const [name, { dtype, shape }] of model.initializers) values.set(name, { name, dtype, shape });
  const add = (value: Value, where: string) => {
    values.set(value.name, value);
    const bytes = elementCount(value.shape) * bytesPerElement(value.dtype);
    if (bytes <= limit) return;
    throw new Error(
      `${model.source}: ${where} has the shape ${formatShape(value.shape)}, which takes ${gibibytes(bytes)}; this machine ` +
        `has ${gibibytes(limit)}. Use a smaller batch or smaller dimensions.`,
    );
  };
  for (const input of bindInputs(model, options)) add(input, `input '${input.name}'`);
  for (const node of model.nodes) {
    if (node.op === "Constant" && node.attributes.value?.type === "tensor") {
      const tensor = node.attributes.value.value;
      constants.set(node.outputs[0] ?? "", tensor);
      add({ name: node.outputs[0] ?? "", dtype: tensor.dtype, shape: tensor.shape }, describeNode(node));
      continue;
    }
    const inputs = node.inputs.map((name) => values.get(name));
    // Shape arithmetic is not followed here; probing handles what depends on it.
    if (node.inputs.some((name, index) => name !== "" && !inputs[index])) continue;
    if (!Object.hasOwn(catalogue, node.op)) continue;
    const view = { node, inputs, constant: (index: number) => constants.get(node.inputs[index] ?? "") };
    knownTypes(catalogue[node.op as OpName], view).forEach((type, index) => {
      const name = node.outputs[index] ?? "";
      add({ name, ...type }, `the output of ${describeNode(node)}`);
    });
  }
}

/** What the shape rule says; nothing where it needs a constant that only running the model tells. */
function knownTypes(op: Op, view: NodeView): ValueType[] {
  try {
    return op.shape(view);
  } catch (error) {
    if (error instanceof UnknownConstantError) return [];
    throw error;
  }
}

function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
