/** What programs build graphs with: every op is there at once. */
import type { Graph } from "../onnx/graph.ts";
import { GraphBuilder as EverydayBuilder } from "./builder.ts";
import { furtherRules } from "./catalogue.ts";

/**
 * Builds a graph op by op; every value knows its shape at once, from the op's shape rule.
 *
 * Each supported op is a method in camel case (`Operators`): operands first (values, numbers for scalar constants, arrays
 * of integers for int64 constants), attributes last.
 *
 * @example
 * const g = new GraphBuilder("rosenbrock");
 * const x = g.parameter("x", float64([0, 0]));
 * const head = g.slice(x, [0], [1]);
 */
export class GraphBuilder extends EverydayBuilder {
  /** Starts empty, or with everything that `start` contains. */
  constructor(name: string, start?: Graph) {
    super(name, start, furtherRules);
  }
}
