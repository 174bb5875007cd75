/** Test functions as graphs. Apart from their formulas, so that programs that only descend the formulas load no op. */

import { reserved } from "../ad/names.ts";
import { SettingError } from "../errors/errors.ts";
import { formatShape, type Graph } from "../onnx/graph.ts";
import { float64 } from "../onnx/tensor.ts";
import { GraphBuilder } from "../ops/full-builder.ts";
import { requireDimension, type TestFunction } from "./test-function.ts";

/**
 * The function as an ONNX graph in float64: parameter `x` [n], output `loss`, a scalar.
 *
 * @param at values of x; default: where the paper's experiments start
 * @throws when the function does not take n coordinates, or `at` has another length
 */
export function functionGraph(fn: TestFunction, n: number, at?: Float64Array): Graph {
  requireDimension(fn, n);
  const values = at ?? fn.start(n);
  if (values.length !== n) {
    throw new SettingError(
      `The function '${fn.name}' in ${n} dimensions needs x of shape ${formatShape([n])}, received ${formatShape([values.length])}.`,
      { option: "at" },
    );
  }
  const g = new GraphBuilder(fn.name);
  return g.build({ [reserved.loss]: fn.build(g, g.parameter("x", float64(values))) });
}
