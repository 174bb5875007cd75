/** In which precision a model is computed: 16-bit floats, whose updates would be lost, in float32. */
import type { Words } from "../../errors/words.ts";
import type { Node } from "../../onnx/graph.ts";
import type { Model } from "../../onnx/read-model.ts";
import { type DType, dtypeFromNumber, isHalf } from "../../onnx/tensor.ts";

/**
 * The model as it is computed: where it stores, reads or makes float16 or bfloat16 numbers, with float32 ones in their
 * place. Tangents and updates would lose most of their digits in 16 bits, and ONNX Runtime's CPU kernels hardly know them.
 */
export async function inSinglePrecision(model: Model): Promise<Model> {
  return halfType(model) ? (await import("../../onnx/single-precision.ts")).inFloat32(model) : model;
}

/** What is to be said of the types of a model's numbers, in sentences; loads where there is something. */
export async function numberNotes(model: Model): Promise<Words[]> {
  const rounding = model.nodes.find(({ op }) => /^(Dynamic)?QuantizeLinear$/.test(op));
  if (!model.file && !rounding) return [];
  return (await import("./number-notes.ts")).notesOnNumbers(model, rounding);
}

/** A 16-bit type that the model stores, reads or makes; undefined where there is none. */
function halfType(model: Model): DType | undefined {
  const stored = [...model.initializers.values()].map(({ dtype }) => dtype);
  const values = [...model.inputs, ...model.outputs].map(({ dtype }) => dtype);
  return [...stored, ...values, ...model.nodes.map(madeType)].find((dtype) => dtype && isHalf(dtype));
}

/** The type that a node makes out of another one, or out of nothing. */
function madeType({ op, attributes }: Node): DType | undefined {
  const type = op === "Cast" ? attributes.to : attributes.dtype;
  if (type?.type === "int") return dtypeFromNumber(type.value);
  return attributes.value?.type === "tensor" ? attributes.value.value.dtype : undefined;
}
