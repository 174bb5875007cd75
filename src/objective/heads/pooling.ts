/** Nodes that make one value [batch, width] of a value with positions. */
import { SettingError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import { formatShape, int, ints, type Node } from "../../onnx/graph.ts";
import type { Model, ModelValue } from "../../onnx/read-model.ts";
import { float32, int64, type Tensor } from "../../onnx/tensor.ts";
import type { Pool } from "./head-options.ts";
import type { HeadSource } from "./head-source.ts";

/** Nodes and the numbers that they read, collected under names that begin alike. */
export interface HeadNodes {
  readonly nodes: Node[];
  readonly initializers: Map<string, Tensor>;
  /** Adds a node, and gives the name of its output. */
  add(op: string, inputs: readonly string[], attributes?: Node["attributes"]): string;
  /** Adds numbers, and gives their name. */
  constant(what: string, tensor: Tensor): string;
}

export function headNodes(prefix: string): HeadNodes {
  const nodes: Node[] = [];
  const initializers = new Map<string, Tensor>();
  return {
    ...{ nodes, initializers },
    add(op, inputs, attributes = {}) {
      const name = `${prefix}/${op}${nodes.some((node) => node.op === op) ? `_${nodes.length}` : ""}`;
      nodes.push({ name, op, domain: "", inputs, outputs: [`${name}/output`], attributes });
      return `${name}/output`;
    },
    constant(what, tensor) {
      initializers.set(`${prefix}/${what}`, tensor);
      return `${prefix}/${what}`;
    },
  };
}

export interface Pooled {
  /** Name of the value that the head's product reads. */
  readonly value: string;
  /** True where each position keeps a value of its own. */
  readonly hasPositions: boolean;
  /** What was done, in words. */
  readonly pooling: string;
}

/** @throws SettingError for a pool that the value's shape has no use for */
export function pooled(
  g: HeadNodes,
  model: Model,
  { name, shape }: HeadSource,
  chosen: Pool | undefined,
): Pooled {
  const pool = chosen ?? (shape.length > 2 ? "mean" : "none");
  const fits = shape.length === 3 || (shape.length === 2 ? pool === "none" : pool === "mean");
  if (!fits) {
    const possible = shape.length === 2 ? "none" : "mean";
    throw new SettingError(
      words`${model.source}: '${name}' ${formatShape(shape)} has ${shape.length === 2 ? "no positions" : "positions on several axes"},
        and ${option("head.pool", pool)} chooses among them; leave it out, give ${option("head.pool", possible)}, or choose another
        value (${option("head.from", null)}).`,
      { option: "head.pool" },
    );
  }
  // A file of 16 bits keeps its head in 32.
  const x = model.file ? g.add("Cast", [name], { to: int(1) }) : name;
  const one = (value: string, pooling: string) => ({ value, hasPositions: false, pooling });
  if (shape.length === 2) return one(x, "as it is");
  if (shape.length > 3) {
    const mean = g.add("GlobalAveragePool", [x]);
    return one(g.add("Flatten", [mean], { axis: int(1) }), "its mean over all places (global average pool)");
  }
  if (pool === "none") return { value: x, hasPositions: true, pooling: "each position by itself" };
  const pick = (index: number) =>
    g.add("Gather", [x, g.constant("index", int64([index], []))], { axis: int(1) });
  if (pool === "first") return one(pick(0), "its first position");
  const mask = attentionMask(model);
  if (pool === "last") {
    if (!mask) return one(pick(-1), "its last position");
    return one(masked(g, x, lastOf(g, mask.name), shape), `its last position in '${mask.name}'`);
  }
  if (!mask) return one(overPositions(g, model, "ReduceMean", x), "its mean over positions");
  const weights = g.add("Cast", [mask.name], { to: int(1) });
  const sum = masked(g, x, weights, shape);
  const count = g.add("Max", [
    overPositions(g, model, "ReduceSum", weights, 1),
    g.constant("least", float32([1], [1])),
  ]);
  return one(g.add("Div", [sum, count]), `its mean over '${mask.name}'`);
}

/** The input that says which positions count; undefined where there is none. */
function attentionMask({ inputs }: Model): ModelValue | undefined {
  return inputs.find(({ name, dimensions }) => /mask/i.test(name) && dimensions?.length === 2);
}

/** Σ over positions of x [batch, positions, width], weighted [batch, positions]: [batch, width]. */
function masked(g: HeadNodes, x: string, weights: string, shape: readonly (number | undefined)[]): string {
  const rows = g.add("Reshape", [weights, g.constant("rows", int64([0, 1, -1]))]);
  const sum = g.add("MatMul", [rows, x]);
  return g.add("Reshape", [sum, g.constant("flat", int64([-1, shape[2] as number]))]);
}

/** 1 at the last position that counts, 0 elsewhere: there, as many count from here on as count here. */
function lastOf(g: HeadNodes, mask: string): string {
  const whole = g.add("Cast", [mask], { to: int(7) });
  const axis = g.constant("axis", int64([1], []));
  const rest = g.add("CumSum", [whole, axis], { reverse: int(1) });
  const isLast = g.add("Equal", [rest, g.constant("one", int64([1]))]);
  const counts = g.add("Cast", [whole], { to: int(1) });
  return g.add("Mul", [g.add("Cast", [isLast], { to: int(1) }), counts]);
}

/** Reduces axis 1, in the form of the model's opset. */
function overPositions(g: HeadNodes, { opset }: Model, op: "ReduceMean" | "ReduceSum", x: string, keep = 0) {
  const takesInput = opset >= (op === "ReduceSum" ? 13 : 18);
  const keepdims = { keepdims: int(keep) };
  if (takesInput) return g.add(op, [x, g.constant("positions", int64([1]))], keepdims);
  return g.add(op, [x], { ...keepdims, axes: ints([1]) });
}
