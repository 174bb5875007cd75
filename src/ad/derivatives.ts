/** The derivative graph: directional derivatives along k tangents. */
import { ModelError } from "../errors/errors.ts";
import { dependents, type Graph, getValue } from "../onnx/graph.ts";
import { GraphBuilder } from "../ops/builder.ts";
import type { Tangent } from "../ops/op.ts";
import { stacked, withInfinities, zerosLike } from "../ops/rules.ts";
import { reserved, tangentFactorName, tangentName } from "./names.ts";
import { pushforward } from "./pushforward.ts";

/** How the tangents of one value are stored: stacked [k, ...shape], or in thin factors of this `rank`. */
export type TangentForm = "stacked" | { readonly rank: number };

/**
 * The derivative graph: everything that `graph` computes, and the directional derivatives of `output` along k tangents.
 *
 * Added inputs are `tangent/<name>` [k, ...shape], or `tangent/<name>/left` [k, rows, r] and `/right` [k, columns, r];
 * the added output is `derivatives`, [k, ...shape of output].
 *
 * @param forms value name → form of its tangents; parameters or computed values (where tangents are injected)
 * @throws when `output` does not depend on what the tangents belong to, or an op has no derivative rule
 */
export function derivativeGraph(
  graph: Graph,
  forms: ReadonlyMap<string, TangentForm>,
  tangents: number,
  output: string,
): Graph {
  const g = new GraphBuilder(`${graph.name}/derivatives`, graph);
  const seeds = new Map(
    [...forms].map(([name, form]) => [name, tangentInput(g, graph, name, form, tangents)]),
  );
  const target = getValue(graph, output);
  if (!dependents(graph, forms.keys()).has(output)) {
    throw new ModelError(
      `The graph '${graph.name}': '${output}' does not depend on ${[...forms.keys()].map((name) => `'${name}'`).join(", ")}; ` +
        "choose parameters on a differentiable path to it.",
    );
  }
  // Where all ways lead through integers or truth values, the derivatives are 0.
  const tangent =
    pushforward(g, graph, seeds).get(output) ??
    zerosLike(g, { dtype: target.dtype, shape: [tangents, ...target.shape] });
  const derivatives = stacked(g, tangent, target.shape);
  const outputs = graph.outputs.map((value) => [value.name, value] as const);
  return g.build({ ...Object.fromEntries(outputs), [reserved.derivatives]: withInfinities(g, derivatives) });
}

/** Declares the tangent inputs of one value. */
export function tangentInput(
  g: GraphBuilder,
  graph: Graph,
  name: string,
  form: TangentForm,
  tangents: number,
): Tangent {
  const { dtype, shape } = getValue(graph, name);
  if (form === "stacked") return g.input(tangentName(name), dtype, [tangents, ...shape]);
  const [rows, columns] = matrixView(shape);
  return {
    left: g.input(tangentFactorName(name, "left"), dtype, [tangents, rows, form.rank]),
    right: g.input(tangentFactorName(name, "right"), dtype, [tangents, columns, form.rank]),
  };
}

/** A parameter's shape as a matrix: rows are the first dimension, columns the product of the others. */
export function matrixView(shape: readonly number[]): [rows: number, columns: number] {
  const [rows = 1, ...rest] = shape;
  return [rows, rest.reduce((product, size) => product * size, 1)];
}
