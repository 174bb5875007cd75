import { ModelError } from "../../errors/errors.ts";
import { describeNode, type Node } from "../../onnx/graph.ts";
import type { Model } from "../../onnx/read-model.ts";
import { type DType, dtypeFromNumber } from "../../onnx/tensor.ts";

/**
 * @throws when the model stores half-precision weights or reads half-precision inputs: tangents and updates would lose most
 * of their digits, and ONNX Runtime's CPU kernels hardly know the type
 */
export function refuseHalfWeights(model: Model): void {
  const stored = [...model.initializers].find(([, { dtype }]) => isHalf(dtype));
  if (stored) {
    const [name, { dtype }] = stored;
    const reader = model.nodes.find(({ inputs }) => inputs.includes(name));
    refuse(model, `weights are ${dtype} ('${name}'${reader ? `, read by ${describeNode(reader)}` : ""})`);
  }
  const input = model.inputs.find(({ dtype }) => isHalf(dtype));
  if (input) refuse(model, `input '${input.name}' is ${input.dtype}`);
}

/** @throws as `refuseHalfWeights`, and when the model casts to half precision to compute in it. */
export function refuseHalfPrecision(model: Model): void {
  refuseHalfWeights(model);
  for (const node of model.nodes) {
    const dtype = madeType(node);
    if (dtype && isHalf(dtype)) refuse(model, `${describeNode(node)} computes in ${dtype}`);
  }
}

/** The type that a node makes out of another one, or out of nothing. */
function madeType({ op, attributes }: Node): DType | undefined {
  const type = op === "Cast" ? attributes.to : attributes.dtype;
  if (type?.type === "int") return dtypeFromNumber(type.value);
  return attributes.value?.type === "tensor" ? attributes.value.value.dtype : undefined;
}

function isHalf(dtype: DType): boolean {
  return dtype === "float16" || dtype === "bfloat16";
}

function refuse(model: Model, what: string): never {
  throw new ModelError(
    `${model.source}: its ${what}; training needs float32. Convert the model to float32 before it is exported ` +
      "(in PyTorch: model.float(), without autocast), train that, and convert the result back.",
    { source: model.source },
  );
}
