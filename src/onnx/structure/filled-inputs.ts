/** Puts constants in place of inputs that always hold the same number. */
import { SettingError } from "../../errors/errors.ts";
import { type Binding, bindInputs } from "../bind.ts";
import { type Fill, filledNumber } from "../fill.ts";
import { withFields } from "../messages/message.ts";
import { own } from "../own.ts";
import { decodeNode, type Model } from "../read-model.ts";
import { int64, tensorOf } from "../tensor.ts";
import { constantNode, plainNode } from "./subgraphs.ts";

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
