/** From a batch of examples to the inputs of a model. */
import { isArrayOf } from "../arrays/kind.ts";
import type { Examples } from "../data/dataset.ts";
import { DataError, SettingError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";
import { bindInputs, dimensionName } from "../onnx/bind.ts";
import { type Fill, filledNumber } from "../onnx/fill.ts";
import { own } from "../onnx/own.ts";
import type { Model, ModelValue } from "../onnx/read-model.ts";
import { elementCount, holdsSameOrder, type Tensor, tensorOf, zeros } from "../onnx/tensor.ts";
import type { Tensors } from "../runtime/runtime.ts";

/** Which of a model's inputs get what. */
export interface InputChoice {
  /** The input that examples feed. Default: the only one that is not filled, or the first float one of them. */
  readonly input?: string;
  /** Numbers that fill the other inputs, by name. */
  readonly fill?: Fill;
  /** Sizes of open dimensions that do not follow from the data, by name or as "input.axis". */
  readonly dimensions?: Readonly<Record<string, number>>;
}

/** How examples reach a model. */
export interface ExampleInput {
  readonly name: string;
  /** float32, or an integer type: tokens, categories. */
  readonly dtype: ModelValue["dtype"];
  /** One example, as the model takes it. */
  readonly shape: readonly number[];
  /** Sizes of the model's open dimensions that are given or follow from the data, as `bindInputs` takes them. */
  readonly dimensions: Readonly<Record<string, number>>;
}

/**
 * Finds the input that examples feed, and the sizes that the data give to its open dimensions.
 *
 * @throws when no input or several fit, another input is left without numbers, or the data's shape does not fit
 */
export function exampleInput(
  model: Model,
  examples: Pick<Examples, "shape">,
  choice: InputChoice = {},
): ExampleInput {
  const input = chooseInput(model, choice);
  const shape = takenShape(model, input, examples);
  const known = shape.flatMap((size, axis) => {
    const declared = input.dimensions?.[axis + 1];
    return typeof declared === "number" ? [] : [[declared ?? dimensionName(input.name, axis + 1), size]];
  });
  const dimensions: ExampleInput["dimensions"] = Object.fromEntries([
    ...known,
    ...Object.entries(choice.dimensions ?? {}),
  ]);
  return { name: input.name, dtype: input.dtype, shape, dimensions };
}

function chooseInput(model: Model, { input: name, fill = {} }: InputChoice): ModelValue {
  const list = model.inputs.map((input) => `'${input.name}' ${input.dtype}`).join(", ") || "none";
  const stray = [name, ...Object.keys(fill)].find(
    (wanted) => wanted !== undefined && !model.inputs.some((input) => input.name === wanted),
  );
  if (stray !== undefined) {
    throw new SettingError(
      words`${model.source} has no input '${stray}'; it has the inputs ${list}. Correct ${option("input")} or
        ${option("fill")}.`,
      { option: "input" },
    );
  }
  const open = model.inputs.filter((input) => !Object.hasOwn(fill, input.name));
  const chosen =
    name === undefined
      ? (open.find(({ dtype }) => dtype === "float32") ?? open[0])
      : open.find((input) => input.name === name);
  if (!chosen || !fedTypes.has(chosen.dtype)) {
    throw new SettingError(
      words`${model.source} has the inputs ${list}; expected one of float32, int32 or int64 that examples
        feed${name === undefined ? "" : `, and '${name}' is not`}. Choose it with ${option("input", null)}.`,
      { option: "input" },
    );
  }
  const others = open.filter((input) => input !== chosen).map((input) => `'${input.name}'`);
  if (others.length > 0) {
    throw new SettingError(
      words`${model.source} has the inputs ${list}; examples feed '${chosen.name}', and nothing feeds
        ${others.join(", ")}. Fill each with a number (${option("fill", { NAME: 1 })}), or choose another input
        (${option("input")}).`,
      { option: "fill" },
    );
  }
  return chosen;
}

const fedTypes = new Set<string>(["float32", "int32", "int64"]);

/** The shape in which the model takes one example; its elements must be as many as the data's. */
function takenShape(model: Model, input: ModelValue, examples: Pick<Examples, "shape">): number[] {
  if (!input.dimensions) return [...examples.shape];
  const dimensions = input.dimensions.slice(1);
  const shape = dimensions.map((size, axis) =>
    typeof size === "number" ? size : (examples.shape[axis] ?? 1),
  );
  if (!holdsSameOrder(shape, examples.shape)) {
    throw new DataError(
      `${model.source}: input '${input.name}' takes examples of shape [${shape.join(", ")}], and the data's have ` +
        `the shape [${examples.shape.join(", ")}]; use data of that shape, or another model.`,
      { source: model.source },
    );
  }
  return shape;
}

/** A batch of a model's inputs: examples are written into `values`, then `tensors` is what a session takes. */
export interface BatchInputs {
  /** [batch, ...shape of one example] */
  readonly values: Float32Array;
  readonly tensors: Tensors;
  /** Call after writing `values`. @throws when an integer input got a fraction */
  written(): void;
}

/** Buffers for a batch. */
export function batchInputs(
  model: Model,
  input: ExampleInput,
  batch: number,
  fill: InputChoice["fill"] = {},
): BatchInputs {
  const shape = [batch, ...input.shape];
  const values = new Float32Array(elementCount(shape));
  const fed: Tensor =
    input.dtype === "float32" ? { dtype: "float32", shape, data: values } : zeros(input.dtype, shape);
  const bound = bindInputs(model, { batch, dimensions: input.dimensions });
  const filled = bound
    .filter(({ name }) => name !== input.name)
    .map(({ name, dtype, shape: size }) => {
      const number = filledNumber(dtype, own(fill, name) ?? 0);
      return [
        name,
        tensorOf(
          dtype,
          Array.from({ length: elementCount(size) }, () => number),
          size,
        ),
      ] as const;
    });
  return {
    values,
    tensors: { [input.name]: fed, ...Object.fromEntries(filled) },
    written() {
      if (fed.data === values) return;
      for (let index = 0; index < values.length; index++) {
        const value = values[index] as number;
        if (!Number.isInteger(value)) {
          throw new DataError(
            `${model.source}: input '${input.name}' takes whole numbers (${input.dtype}), and the data have ${value}; pass ` +
              "token or category numbers, not scaled ones.",
            { source: model.source },
          );
        }
        if (isArrayOf("BigInt64Array", fed.data)) fed.data[index] = BigInt(value);
        else fed.data[index] = value;
      }
    },
  };
}
