import { isArrayOf } from "../arrays/kind.ts";
import type { Examples } from "../data/dataset.ts";
import { DataError, SettingError } from "../errors/errors.ts";
import { crossEntropy } from "../losses/cross-entropy.ts";
import type { Loss } from "../losses/loss.ts";
import type { Model } from "../onnx/decode.ts";
import { elementCount } from "../onnx/tensor.ts";

/** Examples as plain arrays, for data of one's own. */
export interface ExampleArrays {
  /** All examples one after the other, in the shape of the model's input; bytes stand for value / 255. */
  readonly inputs?: Float32Array | Uint8Array | readonly number[];
  /** Class numbers (Int32Array), target values (Float32Array), or numbers that are what the loss reads. */
  readonly labels?: Int32Array | Float32Array | ArrayLike<number | bigint>;
}

/** The examples that the options give, in either way. */
export function examplesFor(
  model: Model,
  options: ExampleArrays & { readonly examples?: Examples; readonly input?: string; readonly loss?: Loss },
): Examples {
  const { examples, inputs, labels } = options;
  if (examples) return examples;
  if (!inputs || !labels)
    throw new SettingError("train needs examples, or inputs and labels; received neither.", {
      option: "examples",
    });
  const first: unknown = inputs[0];
  if (inputs.length > 0 && typeof first !== "number") {
    throw new DataError(
      `${model.source}: inputs[0] is ${Array.isArray(first) || ArrayBuffer.isView(first) ? "a list" : `of type ${typeof first}`}, expected ` +
        "numbers, all examples one after the other; flatten rows (inputs.flat())",
      { source: model.source },
    );
  }
  const input = model.inputs.find(({ name }) => name === options.input) ?? model.inputs[0];
  const dimensions = input?.dimensions?.slice(1);
  if (!dimensions?.every((size) => typeof size === "number")) {
    throw new DataError(
      `${model.source}: the shape of one example is open in '${input?.name}'; pass \`examples\`, which have a shape.`,
      { source: model.source },
    );
  }
  const shape = dimensions;
  const count = inputs.length / elementCount(shape);
  if (!Number.isInteger(count) || count === 0 || labels.length % count !== 0) {
    throw new DataError(
      `${model.source}: inputs hold ${inputs.length} numbers and labels ${labels.length}; expected a whole number of ` +
        `examples of shape [${shape.join(", ")}] and as many labels.`,
      { source: model.source },
    );
  }
  return {
    count,
    shape,
    inputs: isTyped(inputs) ? inputs : Float32Array.from(inputs),
    labels: targetsFrom(labels, options.loss ?? crossEntropy()),
  };
}

/** Numbers as what the loss reads: class numbers, or values. @throws for class numbers that are no whole ones */
function targetsFrom(
  labels: Int32Array | Float32Array | ArrayLike<number | bigint>,
  loss: Loss,
): Int32Array | Float32Array {
  if (isArrayOf("Int32Array", labels) || isArrayOf("Float32Array", labels)) return labels;
  const numbers = Array.from(labels as ArrayLike<number | bigint>, Number);
  if (!loss.classAxis) return Float32Array.from(numbers);
  const wrong = numbers.findIndex((number) => (number | 0) !== number);
  if (wrong < 0) return Int32Array.from(numbers);
  throw new DataError(
    `labels: ${loss.name} reads class numbers, whole and counted from 0, and labels[${wrong}] is ${numbers[wrong]}; pass class ` +
      "numbers, or choose a loss of values (meanSquaredError, binaryCrossEntropy).",
  );
}

function isTyped(inputs: Float32Array | Uint8Array | readonly number[]): inputs is Float32Array | Uint8Array {
  return isArrayOf("Float32Array", inputs) || isArrayOf("Uint8Array", inputs);
}
