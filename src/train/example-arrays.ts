import { isArrayOf } from "../arrays/kind.ts";
import type { Examples } from "../data/dataset.ts";
import type { Model } from "../onnx/decode.ts";
import { elementCount } from "../onnx/tensor.ts";

/** Examples as plain arrays, for data of one's own. */
export interface ExampleArrays {
  /** All examples one after the other, in the shape of the model's input; bytes stand for value / 255. */
  readonly inputs?: Float32Array | Uint8Array | readonly number[];
  /** Class numbers (Int32Array or plain numbers), or target values (Float32Array). */
  readonly labels?: Int32Array | Float32Array | readonly number[];
}

/** The examples that the options give, in either way. */
export function examplesFor(
  model: Model,
  options: ExampleArrays & { readonly examples?: Examples; readonly input?: string },
): Examples {
  const { examples, inputs, labels } = options;
  if (examples) return examples;
  if (!inputs || !labels)
    throw new Error("train needs `examples`, or `inputs` and `labels`; received neither.");
  const input = model.inputs.find(({ name }) => name === options.input) ?? model.inputs[0];
  const dimensions = input?.dimensions?.slice(1);
  if (!dimensions?.every((size) => typeof size === "number")) {
    throw new Error(
      `${model.source}: the shape of one example is open in '${input?.name}'; pass \`examples\`, which have a shape.`,
    );
  }
  const shape = dimensions;
  const count = inputs.length / elementCount(shape);
  if (!Number.isInteger(count) || count === 0 || labels.length % count !== 0) {
    throw new Error(
      `${model.source}: inputs hold ${inputs.length} numbers and labels ${labels.length}; expected a whole number of ` +
        `examples of shape [${shape.join(", ")}] and as many labels.`,
    );
  }
  return {
    count,
    shape,
    inputs: isTyped(inputs) ? inputs : Float32Array.from(inputs),
    labels:
      isArrayOf("Int32Array", labels) || isArrayOf("Float32Array", labels) ? labels : Int32Array.from(labels),
  };
}

function isTyped(inputs: Float32Array | Uint8Array | readonly number[]): inputs is Float32Array | Uint8Array {
  return isArrayOf("Float32Array", inputs) || isArrayOf("Uint8Array", inputs);
}
