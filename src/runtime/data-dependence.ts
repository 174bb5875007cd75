/** Refuses models in which data decide a shape. */
import { ModelError } from "../errors/errors.ts";
import { describeNode, nodeName, type Value } from "../onnx/graph.ts";
import type { Model } from "../onnx/read-model.ts";

/** Refuses results with one element for each true or nonzero one of an input, unless that input is constant. @throws ModelError */
export function refuseCounts(model: Model, constantNames: ReadonlySet<string>): void {
  for (const node of model.nodes) {
    const counted =
      node.op === "NonZero" ? node.inputs[0] : node.op === "Compress" ? node.inputs[1] : undefined;
    if (counted === undefined || constantNames.has(counted) || model.initializers.has(counted)) continue;
    throw new ModelError(
      `${model.source}: ${describeNode(node)}: its shape depends on data ('${counted}'). Export the model with fixed ` +
        "shapes: torch.where with three arguments instead of masked selection.",
      { source: model.source, node: nodeName(node) },
    );
  }
}

/**
 * Compares the shapes that values had on one batch with those on other data.
 *
 * @param isGiven whether the first batch was given and not made up
 * @throws ModelError for the first value whose shapes differ
 */
export function compareShapes(
  model: Model,
  values: ReadonlyMap<string, Value>,
  second: readonly Value[],
  isGiven: boolean,
): void {
  const shapes = new Map(second.map(({ name, shape }) => [name, shape]));
  for (const node of model.nodes) {
    for (const name of node.outputs) {
      const [before, after] = [values.get(name)?.shape, shapes.get(name)];
      if (
        !before ||
        !after ||
        (before.length === after.length && before.every((size, axis) => size === after[axis]))
      )
        continue;
      throw new ModelError(
        `${model.source}: ${describeNode(node)} gives '${name}' the shape [${before.join(", ")}] on one batch and ` +
          `[${after.join(", ")}] on another${isGiven ? " (the sample batch and made-up numbers)" : ""}: its shape depends on ` +
          "data. Export the model with fixed shapes.",
        { source: model.source, node: nodeName(node) },
      );
    }
  }
}
