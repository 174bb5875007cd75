/** A table's columns brought to one scale inside of a model that reads them as they are. */
import type { Normalization } from "../../data/dataset.ts";
import { ModelError } from "../../errors/errors.ts";
import { insertIntoModel } from "../../onnx/edit.ts";
import { formatShape, type Node } from "../../onnx/graph.ts";
import type { Model } from "../../onnx/read-model.ts";
import { dtypeFromNumber, float32 } from "../../onnx/tensor.ts";

/**
 * The model with (x − mean)/√variance in front of all that reads an input [examples, columns]: it still takes raw numbers, in every
 * program that runs it. Mean and variance are stored like the running statistics of a normalization, and are not trained.
 *
 * @param normalization of each column, [columns]: of the examples that are trained on
 * @param input its name. Default: the model's first input
 * @throws ModelError for a model without an input of float32 [examples, columns] in its file, and for one that does so already
 */
export function withStandardizedInput(
  model: Model,
  normalization: Normalization,
  input: string | undefined = model.inputs[0]?.name,
): Model {
  const { mean, standardDeviation } = normalization;
  const [means, deviations] = [[mean].flat(), [standardDeviation].flat()];
  const value = model.inputs.find(({ name }) => name === input);
  const columns = value?.dimensions?.[1];
  const isTable =
    value?.dimensions?.length === 2 && (typeof columns !== "number" || columns === means.length);
  const own = model.file?.proto.graph?.input.find(({ name }) => name === input)?.type?.value;
  const stored = own?.case === "tensorType" ? dtypeFromNumber(own.value.elemType) : value?.dtype;
  if (stored !== "float32" || !value || !isTable)
    throw new ModelError(
      `${model.source}: the input '${input}' is ${stored ?? "not there"}${value?.dimensions ? ` ${formatShape(value.dimensions)}` : ""}, and what is ` +
        `standardized is an input of float32 [examples, ${means.length}], one number for each column; standardize the data instead.`,
      { source: model.source },
    );
  const at = (part: string) => `${value.name}/${part}`;
  const names = [at("running_mean"), at("running_var")] as const;
  if (model.initializers.has(names[0]))
    throw new ModelError(
      `${model.source}: the input '${value.name}' is standardized already, by '${names[0]}' of the file; train it as it is.`,
      { source: model.source },
    );
  const size = [means.length];
  const node = (op: string, inputs: readonly string[], output: string): Node => ({
    ...{ op, domain: "", name: at(op), inputs, outputs: [output], attributes: {} },
  });
  const edited = insertIntoModel(model, {
    initializers: new Map([
      [names[0], float32(means, size)],
      [
        names[1],
        float32(
          deviations.map((each) => each * each),
          size,
        ),
      ],
    ]),
    nodes: [
      node("Sub", [value.name, names[0]], at("centered")),
      node("Sqrt", [names[1]], at("deviation")),
      node("Div", [at("centered"), at("deviation")], at("standardized")),
    ],
    replaced: new Map([[value.name, at("standardized")]]),
  });
  return { ...edited, buffers: new Set([...edited.buffers, ...names]) };
}
