/** Errors of models that mix the examples of a batch. */
import { reserved } from "../ad/names.ts";
import { ModelError, SettingError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";
import { describeNode, type Graph, getValue, type Node, nodeName } from "../onnx/graph.ts";
import type { Differentiable, Objective } from "./objective.ts";

/** Why a value cannot be a site. */
export function noSite({ graph, batch }: Differentiable, name: string): ModelError {
  return new ModelError(
    words`The site '${name}' has the shape [${getValue(graph, name).shape.join(", ")}], in which the ${batch} examples
      of a batch do not stay apart, although their losses are independent. Perturb weights instead
      (${option("perturb", "weights")}), or keep the batch on an axis of its own.`,
    { source: graph.name },
  );
}

/** Why examples have no derivatives of their own: numbers are rounded by one scale for the batch. */
export function sharesRounding(graph: Graph, node: Node): ModelError {
  return new ModelError(
    words`${describeNode(node)} rounds activations by one scale for all examples of a batch, so that changing one example changes the others' losses, and
      none has derivatives of its own. Take the exact gradient (${option("gradient", "exact")}), perturb weights (${option("perturb", "weights")}), or start from a
      file whose weights alone are quantized.`,
    { source: graph.name, node: nodeName(node) },
  );
}

/**
 * Why examples have no derivatives of their own: names the first node whose values mix them.
 *
 * @param watched the values that depend on data, in the graph's order
 * @param layouts where the examples lie in those that do not mix them
 */
export function mixesExamples(
  { graph, loss }: Differentiable & Partial<Pick<Objective, "loss">>,
  watched: readonly string[],
  layouts: ReadonlyMap<string, object | undefined>,
): ModelError | SettingError {
  if (loss?.together)
    return new SettingError(
      words`The loss ${loss.name} compares the examples of a batch with each other, so no example has derivatives of its own. Perturb weights instead
        (${option("perturb", "weights")}), or take the exact gradient (${option("gradient", "exact")}).`,
      { option: "perturb" },
    );
  const mixing = watched.find((name) => !layouts.get(name)) ?? reserved.losses;
  const node = graph.nodes.find(({ outputs }) => outputs.includes(mixing));
  return new ModelError(
    words`${node ? describeNode(node) : `'${mixing}'`} mixes the examples of a batch: changing one example changed
      another's loss, so no example has derivatives of its own. Perturb weights instead
      (${option("perturb", "weights")}), or replace what mixes them (GroupNormalization or LayerNormalization for
      BatchNormalization in training mode, or frozen statistics).`,
    { source: graph.name, node: node && nodeName(node) },
  );
}
