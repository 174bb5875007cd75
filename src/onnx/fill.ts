import { SettingError } from "../errors/errors.ts";
/** Inputs that always hold the same number. */
import { type Binding, bindInputs } from "./bind.ts";
import { withFields } from "./messages/message.ts";
import { own } from "./own.ts";
import { decodeNode, type Model } from "./read-model.ts";
import { constantNode, plainNode } from "./structure/subgraphs.ts";
import { int64, isFloat, tensorOf } from "./tensor.ts";

/** Numbers that fill inputs, by name. */
export type Fill = Readonly<Record<string, number>>;

/** What an input holds that is filled with a number: whole for integer types. */
export function filledNumber(dtype: Model["inputs"][number]["dtype"], number: number): number {
  return isFloat(dtype) ? number : Math.trunc(number);
}

/**
 * The model with constants in place of the inputs that are filled, so that what depends on them alone is known before it
 * runs: branches, shapes, masks.
 *
 * @throws when a dimension of a filled input is open, or the model has no input of a name
 */
export function withFilledInputs(model: Model, fill: Fill, binding: Binding): Model {
  const { graph } = model.proto;
  const names = Object.keys(fill);
  const stray = names.find((name) => !model.inputs.some((input) => input.name === name));
  if (stray !== undefined) {
    const list = model.inputs.map(({ name }) => `'${name}'`).join(", ") || "none";
    throw new SettingError(`${model.source} has no input '${stray}' to fill; it has the inputs ${list}.`, {
      option: "fill",
    });
  }
  if (!graph || names.length === 0) return model;
  const isFilled = ({ name }: { readonly name: string }) => Object.hasOwn(fill, name);
  const stored = bindInputs(model, binding)
    .filter(isFilled)
    .flatMap(({ name, dtype, shape }) => {
      const value = tensorOf(dtype, [filledNumber(dtype, own(fill, name) ?? 0)], [1]);
      const size = `${name}/shape of the filled input`;
      return [
        constantNode(size, int64(shape)),
        plainNode("ConstantOfShape", [size], [name], { value: { type: "tensor", value } }),
      ];
    });
  const input = graph.input.filter((each) => !isFilled(each));
  const node = [...stored, ...graph.node];
  return {
    ...model,
    proto: withFields(model.proto, { graph: withFields(graph, { input, node }) }),
    inputs: model.inputs.filter((each) => !isFilled(each)),
    nodes: [...stored.map((each) => decodeNode(each, model.source, model.limits)), ...model.nodes],
  };
}
