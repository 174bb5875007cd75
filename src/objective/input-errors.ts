/** What is wrong with examples for a model's inputs, in sentences: loaded where something is, or where there are several inputs. */
import { checkFurther } from "../data/check-further.ts";
import type { Examples } from "../data/dataset.ts";
import { DataError, SettingError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";
import { own } from "../onnx/own.ts";
import type { Model, ModelValue } from "../onnx/read-model.ts";
import { holdsSameOrder } from "../onnx/tensor.ts";

export { lookupChecks } from "./importing/lookups.ts";

/** As `InputChoice`. */
interface Choice {
  readonly input?: string;
  readonly fill?: Readonly<Record<string, number>>;
}

/** An input that examples feed, and the shape in which it takes one example's part. */
interface Fed {
  readonly name: string;
  readonly shape: readonly number[];
}

/**
 * @param found how the examples reach the model; undefined: they do not
 * @throws when they do not, and for names that the model lacks, wrong numbers, and sizes that disagree between inputs
 */
export function checkInputs(
  model: Model,
  examples: Pick<Examples, "shape" | "furtherInputs" | "count">,
  choice: Choice,
  found: (Fed & { readonly further: readonly Fed[] }) | undefined,
): void {
  const { source, inputs } = model;
  const { furtherInputs = {}, count } = examples;
  const unknown = Object.keys(furtherInputs).find((name) => !inputs.some((each) => each.name === name));
  if (unknown !== undefined) {
    throw new DataError(
      `${source} has no input '${unknown}', which the data hold numbers for; it has the inputs ${listed(model)}. Name the ` +
        "data's arrays as the model's inputs.",
      { source },
    );
  }
  const beside = inputs.filter(
    ({ name }) => Object.hasOwn(furtherInputs, name) && !Object.hasOwn(choice.fill ?? {}, name),
  );
  const main = chooseInput(model, beside, choice);
  if (!found) {
    for (const input of [main, ...beside])
      checkShape(
        model,
        input,
        (input === main ? undefined : own(furtherInputs, input.name)?.shape) ?? examples.shape,
      );
    return;
  }
  checkFurther(furtherInputs, count, source);
  checkSizes(model, [found, ...found.further]);
}

/** @throws when two inputs give one dimension different sizes */
function checkSizes({ source, inputs }: Model, fed: readonly Fed[]): void {
  const known = new Map<string, { readonly size: number; readonly name: string }>();
  for (const { name, shape } of fed)
    for (const [axis, size] of shape.entries()) {
      const dimension = inputs.find((each) => each.name === name)?.dimensions?.[axis + 1];
      if (typeof dimension !== "string") continue;
      const before = known.get(dimension);
      if (before !== undefined && before.size !== size) {
        throw new DataError(
          `${source}: the inputs '${before.name}' and '${name}' share the dimension '${dimension}', and the data have ` +
            `${before.size} numbers along it for the one and ${size} for the other; give both the same length.`,
          { source },
        );
      }
      known.set(dimension, { size, name });
    }
}

function listed({ inputs }: Model): string {
  return inputs.map((input) => `'${input.name}' ${input.dtype}`).join(", ") || "none";
}

/** @returns the main input. @throws for what was chosen wrongly, and inputs that nothing feeds */
function chooseInput(
  model: Model,
  beside: readonly ModelValue[],
  { input: name, fill = {} }: Choice,
): ModelValue {
  const list = listed(model);
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
  const open = model.inputs.filter((input) => !Object.hasOwn(fill, input.name) && !beside.includes(input));
  const chosen =
    name === undefined
      ? (open.find(({ dtype }) => dtype === "float32") ?? open[0])
      : open.find((input) => input.name === name);
  if (!chosen) {
    throw new SettingError(
      words`${model.source} has the inputs ${list}; expected one that examples
        feed${name === undefined ? "" : `, and '${name}' has numbers already`}. Choose it with ${option("input", null)}.`,
      { option: "input" },
    );
  }
  const others = open.filter((input) => input !== chosen).map((input) => `'${input.name}'`);
  if (others.length > 0) {
    throw new SettingError(
      words`${model.source} has the inputs ${list}; examples feed '${chosen.name}', and nothing feeds
        ${others.join(", ")}. Give the examples an array for each, fill it with a number
        (${option("fill", { NAME: 1 })}), or choose another input (${option("input")}).`,
      { option: "fill" },
    );
  }
  return chosen;
}

/** @throws when the data's shape of one example is not one that the input takes */
function checkShape({ source }: Model, { name, dimensions }: ModelValue, given: readonly number[]): void {
  const shape = dimensions
    ?.slice(1)
    .map((size, axis) => (typeof size === "number" ? size : (given[axis] ?? 1)));
  if (!shape || holdsSameOrder(shape, given)) return;
  throw new DataError(
    `${source}: input '${name}' takes examples of shape [${shape.join(", ")}], and the data's have ` +
      `the shape [${given.join(", ")}]; use data of that shape, or another model.`,
    { source },
  );
}
